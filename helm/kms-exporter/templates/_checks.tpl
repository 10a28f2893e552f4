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
{{- range $values.extraArgs }}
  {{- if hasPrefix "--web." . }}
    {{- $wrong = append $wrong (printf "extraArgs has %s, of which ports, probes and monitors would know nothing; say it in config.web" .) }}
  {{- end }}
{{- end }}
{{- range $values.extraEnv }}
  {{- if hasPrefix "KMS_EXPORTER_WEB__" .name }}
    {{- $wrong = append $wrong (printf "extraEnv has %s, of which ports, probes and monitors would know nothing; say it in config.web" .name) }}
  {{- end }}
{{- end }}
{{- $aws := $values.config.aws | default dict }}
{{- $organization := $aws.organization | default dict }}
{{- $elsewhere := or $values.accountsSecret.name $values.extraEnvFrom (toJson $values.extraEnv | contains "KMS_EXPORTER_AWS__") }}
{{- if not (or (dig "home_account" true $aws) $aws.accounts $organization.enabled $elsewhere) }}
  {{- $wrong = append $wrong "config.aws.home_account is false and no other account is named, so nothing would be watched; name accounts, or set config.aws.organization.enabled" }}
{{- end }}
{{- range $account := $organization.include }}
  {{- if has $account ($organization.exclude | default list) }}
    {{- $wrong = append $wrong (printf "config.aws.organization: %s is both in include and in exclude" $account) }}
  {{- end }}
{{- end }}
{{- $refresh := $values.config.refresh | default dict }}
{{- $interval := $refresh.interval | default "1m" }}
{{- range $name, $default := dict "full_interval" "1h" "fallback_interval" "5m" "keep_failed" "1d" }}
  {{- $duration := index $refresh $name | default $default }}
  {{- if lt (include "kms-exporter.milliseconds" $duration | int) (include "kms-exporter.milliseconds" $interval | int) }}
    {{- $wrong = append $wrong (printf "config.refresh.%s is %s, shorter than refresh.interval, which is %s; make it the same or longer" $name $duration $interval) }}
  {{- end }}
{{- end }}
{{- $shard := $values.config.shard | default dict }}
{{- if ge (int $shard.index) (int ($shard.total | default 1)) }}
  {{- $wrong = append $wrong (printf "config.shard.index is %d, no shard of %d; they are counted from 0" (int $shard.index) (int ($shard.total | default 1))) }}
{{- end }}
{{- range $aws | dig "accounts" list }}
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
{{- range $monitor := list "serviceMonitor" "podMonitor" }}
  {{- with index $values $monitor }}
  {{- if and .enabled .interval .scrapeTimeout (gt (include "kms-exporter.milliseconds" .scrapeTimeout | int) (include "kms-exporter.milliseconds" .interval | int)) }}
    {{- $wrong = append $wrong (printf "%s.scrapeTimeout is %s, longer than its interval of %s; the operator would leave it out" $monitor .scrapeTimeout .interval) }}
  {{- end }}
  {{- end }}
{{- end }}
{{- if and (not $values.serviceAccount.create) (or $values.serviceAccount.annotations $values.serviceAccount.labels) }}
  {{- $wrong = append $wrong "serviceAccount.create is false, so its annotations and labels would be nowhere; give them to the account that you made" }}
{{- end }}
{{- with $values.networkPolicy }}
{{- if and .enabled (not .awsCidrs) (not .extraEgress) (not $values.demo) }}
  {{- $wrong = append $wrong "networkPolicy lets nothing out to AWS: awsCidrs and extraEgress are empty" }}
{{- end }}
{{- end }}
{{- if and $values.podDisruptionBudget.enabled (eq (include "kms-exporter.blocksDrains" .) "true") }}
  {{- $wrong = append $wrong (printf "podDisruptionBudget allows no pod of %d to be away, so nodes could never be drained; raise replicaCount or maxUnavailable" (int $values.replicaCount)) }}
{{- end }}
{{- $rolling := $values.strategy.rollingUpdate | default dict }}
{{- if and (eq $values.strategy.type "Recreate") $rolling }}
  {{- $wrong = append $wrong "strategy.type is Recreate and strategy.rollingUpdate is given; set strategy.rollingUpdate to null" }}
{{- end }}
{{- if and (has (toString $rolling.maxSurge) (list "0" "0%")) (has (toString $rolling.maxUnavailable) (list "0" "0%")) }}
  {{- $wrong = append $wrong "strategy.rollingUpdate allows neither one pod more nor one less, so none could be replaced; raise maxSurge" }}
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
{{- if hasSuffix "%" $least }}{{ ge (trimSuffix "%" $least | int | mul $replicas | add 99) (mul $replicas 100) }}{{ else }}{{ ge (int $budget.minAvailable) $replicas }}{{ end }}
{{- else }}
{{- has (toString $budget.maxUnavailable) (list "0" "0%") }}
{{- end }}
{{- end }}

{{/* A duration such as 1h30m in milliseconds. */}}
{{- define "kms-exporter.milliseconds" -}}
{{- $unit := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000 "w" 604800000 "y" 31536000000 }}
{{- $sum := 0 }}
{{- range regexFindAll "[0-9]+[a-z]+" . -1 }}
{{- $sum = add $sum (mul (regexFind "[0-9]+" .) (index $unit (regexFind "[a-z]+" .))) }}
{{- end }}
{{- $sum }}
{{- end }}
