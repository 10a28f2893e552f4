{{/*
The rules are those of grafana/rules. Read and written again, never rendered: what is {{ }} in them is Prometheus'.
*/}}

{{/* The groups of all rule files, with the changes that the values make to alerts, and what these change with them. */}}
{{- define "kms-exporter.ruleGroups" -}}
{{- $groups := list }}
{{- range $path, $_ := .Files.Glob "rules/*.yaml" }}
{{- $file := fromYaml ($.Files.Get $path) }}
{{- with $file.Error }}{{ fail (printf "%s: %s" $path .) }}{{ end }}
{{- range $group := $file.groups }}
{{- $rules := list }}
{{- $names := list }}
{{- range $rule := $group.rules }}
{{- if $rule.alert }}
{{- /* The second rule of an alert, which has another severity, is known by both. */}}
{{- $name := ternary (printf "%s-%s" $rule.alert $rule.labels.severity) $rule.alert (has $rule.alert $names) }}
{{- $names = append $names $rule.alert }}
{{- $change := index $.Values.prometheusRule.alerts $name | default dict }}
{{- if dig "enabled" true $change }}
{{- $rules = append $rules (include "kms-exporter.alert" (dict "root" $ "rule" $rule "change" $change) | fromYaml) }}
{{- end }}
{{- else }}
{{- $rules = append $rules (set (deepCopy $rule) "expr" (include "kms-exporter.recorded" (dict "root" $ "rule" $rule))) }}
{{- end }}
{{- end }}
{{- $changed := set (deepCopy $group) "rules" $rules }}
{{- with $.Values.prometheusRule.interval }}{{ $_ := set $changed "interval" . }}{{ end }}
{{- $groups = append $groups $changed }}
{{- end }}
{{- end }}
{{- toYaml (concat $groups .Values.prometheusRule.extraGroups) }}
{{- end }}

{{/*
One alert.
  root    the root context
  rule    the rule as it is shipped
  change  what the values say of it
*/}}
{{- define "kms-exporter.alert" -}}
{{- $settings := .root.Values.prometheusRule }}
{{- $change := .change }}
{{- $alert := deepCopy .rule }}
{{- if hasKey $change "threshold" }}
{{- $_ := set $alert "expr" (include "kms-exporter.withThreshold" (dict "rule" .rule "threshold" $change.threshold)) }}
{{- end }}
{{- if hasKey $change "for" }}{{ $_ := set $alert "for" $change.for }}{{ end }}
{{- if hasKey $change "keepFiringFor" }}{{ $_ := set $alert "keep_firing_for" $change.keepFiringFor }}{{ end }}
{{- $severity := dict }}
{{- with $change.severity }}{{ $_ := set $severity "severity" . }}{{ end }}
{{- $_ := set $alert "labels" (mergeOverwrite $alert.labels $settings.alertLabels $severity ($change.labels | default dict)) }}
{{- $annotations := omit $alert.annotations "runbook_url" "dashboard_url" }}
{{- if $change.runbookUrl }}
{{- $_ := set $annotations "runbook_url" $change.runbookUrl }}
{{- else if $settings.runbookBaseUrl }}
{{- $_ := set $annotations "runbook_url" ($alert.annotations.runbook_url | replace "https://runbooks.example.org/kms-exporter" (trimSuffix "/" $settings.runbookBaseUrl)) }}
{{- end }}
{{- with $settings.dashboardBaseUrl }}
{{- $_ := set $annotations "dashboard_url" ($alert.annotations.dashboard_url | replace "https://grafana.example.org" (trimSuffix "/" .)) }}
{{- end }}
{{- $_ := set $alert "annotations" (mergeOverwrite $annotations $settings.alertAnnotations ($change.annotations | default dict)) }}
{{- toYaml $alert }}
{{- end }}

{{/*
The expression of a recording rule. Where an acknowledgement is revoked for a use, the days are those of
KmsKeyPendingDeletionInUse: that alert and the calm of the others exclude each other.
  root  the root context
  rule  the rule as it is shipped
*/}}
{{- define "kms-exporter.recorded" -}}
{{- $change := index .root.Values.prometheusRule.alerts "KmsKeyPendingDeletionInUse" | default dict }}
{{- if hasKey $change "threshold" }}
{{- regexReplaceAll "(kms_key:days_unused_when_scheduled:known <) [0-9.]+" .rule.expr (printf "${1} %v" $change.threshold) }}
{{- else }}
{{- .rule.expr }}
{{- end }}
{{- end }}

{{/*
The expression of a rule with another threshold: every number that ends a comparison, or is the first factor after it.
*/}}
{{- define "kms-exporter.withThreshold" -}}
{{- $pattern := "(?m)(<=|>=|<|>) [0-9.]+(\\)| \\*|$)" }}
{{- if not (regexMatch $pattern .rule.expr) }}
{{- fail (printf "prometheusRule.alerts.%s.threshold: the rule compares with no number" .rule.alert) }}
{{- end }}
{{- regexReplaceAll $pattern .rule.expr (printf "${1} %v${2}" .threshold) }}
{{- end }}
