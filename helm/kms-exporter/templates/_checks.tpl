{{/*
Combinations of values that are fine one by one and can't work together. What is wrong with a value alone, the schema
tells. All mistakes are told at once.
*/}}
{{- define "kms-exporter.checks" -}}
{{- $values := .Values }}
{{- $wrong := list }}
{{- $listen := include "kms-exporter.listenAddress" . }}
{{- if regexMatch "^(127\\.|localhost:|\\[::1\\])" $listen }}
  {{- $wrong = append $wrong (printf "config.web.listen_address is %s, where neither the probes nor Prometheus reach it; leave it out, or use 0.0.0.0 or [::] with a port" $listen) }}
{{- end }}
{{- if eq (include "kms-exporter.port" . | int) 0 }}
  {{- $wrong = append $wrong (printf "config.web.listen_address is %s, a port that nobody knows; name one" $listen) }}
{{- end }}
{{- range $values.config.aws | default dict | dig "accounts" list }}
  {{- if .external_id }}
    {{- $wrong = append $wrong (printf "config.aws.accounts: the external id for %s would end up in a ConfigMap; put the list of accounts into a Secret and name it in accountsSecret" .role_arn) }}
  {{- end }}
{{- end }}
{{- if and $values.accountsSecret.name (dig "aws" "accounts" list $values.config) }}
  {{- $wrong = append $wrong "accountsSecret and config.aws.accounts are both given; the Secret would hide the list: use one of them" }}
{{- end }}
{{- if and $values.configSecret.name $values.config }}
  {{- $wrong = append $wrong "configSecret and config are both given; the Secret is the whole configuration: use one of them" }}
{{- end }}
{{- if and $values.demo (or $values.configSecret.name $values.accountsSecret.name $values.config) }}
  {{- $wrong = append $wrong "demo has a configuration of its own; leave out config, configSecret and accountsSecret" }}
{{- end }}
{{- if and $values.serviceMonitor.enabled $values.podMonitor.enabled }}
  {{- $wrong = append $wrong "serviceMonitor and podMonitor are both enabled; every series would be scraped twice: use one of them" }}
{{- end }}
{{- if and $values.podDisruptionBudget.enabled (eq (include "kms-exporter.blocksDrains" .) "true") }}
  {{- $wrong = append $wrong (printf "podDisruptionBudget allows no pod of %d to be away, so nodes could never be drained; raise replicaCount or maxUnavailable" (int $values.replicaCount)) }}
{{- end }}
{{- $rolling := $values.strategy.rollingUpdate | default dict }}
{{- if and (eq $values.strategy.type "Recreate") $rolling }}
  {{- $wrong = append $wrong "strategy.type is Recreate and strategy.rollingUpdate is given; set strategy.rollingUpdate to null" }}
{{- end }}
{{- if $wrong }}
  {{- fail (printf "\n\n%s\n" (join "\n" $wrong)) }}
{{- end }}
{{- end }}

{{- define "kms-exporter.blocksDrains" -}}
{{- $budget := .Values.podDisruptionBudget }}
{{- $replicas := int .Values.replicaCount }}
{{- if ne (toString $budget.minAvailable) "" }}
{{- $least := toString $budget.minAvailable }}
{{- if hasSuffix "%" $least }}{{ eq $least "100%" }}{{ else }}{{ ge (int $budget.minAvailable) $replicas }}{{ end }}
{{- else }}
{{- has (toString $budget.maxUnavailable) (list "0" "0%") }}
{{- end }}
{{- end }}
