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
{{- if include "kms-exporter.sharded" . }}
  {{- $wrong = concat $wrong (include "kms-exporter.shardingChecks" . | fromJsonArray) }}
{{- end }}
{{- range $aws | dig "accounts" list }}
  {{- if .external_id }}
    {{- $wrong = append $wrong (printf "config.aws.accounts: the external id for %s would end up in a ConfigMap; put the list of accounts into a Secret and name it in accountsSecret" .role_arn) }}
  {{- end }}
{{- end }}
{{- if and $values.accountsSecret.name (dig "aws" "accounts" list $values.config) }}
  {{- $wrong = append $wrong "accountsSecret and config.aws.accounts are both given; the Secret would hide the list: use one of them" }}
{{- end }}
{{- with $values.webConfig }}
{{- if and .existingSecret .content }}
  {{- $wrong = append $wrong "webConfig.existingSecret and webConfig.content are both given; the Secret is the whole web configuration: use one of them" }}
{{- end }}
{{- if and .tlsSecret (not (include "kms-exporter.webConfig" $)) }}
  {{- $wrong = append $wrong "webConfig.tlsSecret is given without a web configuration that uses it; name its files in webConfig.content" }}
{{- end }}
{{- if and (include "kms-exporter.webConfig" $) (dig "web" "config_file" "" $values.config) }}
  {{- $wrong = append $wrong "webConfig and config.web.config_file are both given; use one of them" }}
{{- end }}
{{- end }}
{{- with include "kms-exporter.probePort" . }}
{{- if eq . (include "kms-exporter.port" $) }}
  {{- $wrong = append $wrong (printf "probes can't have port %s, which everything else has; choose another one" .) }}
{{- end }}
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
  {{- if and .enabled (ne .scheme "https") (or .tlsConfig $values.webConfig.content.tls_server_config) }}
    {{- $wrong = append $wrong (printf "%s.scheme must be https, since %s" $monitor (ternary "tlsConfig is given" "webConfig.content has TLS" (not (empty .tlsConfig)))) }}
  {{- end }}
  {{- if and .enabled (not .basicAuth) $values.webConfig.content.basic_auth_users }}
    {{- $wrong = append $wrong (printf "%s.basicAuth is empty, and webConfig.content lets nobody in without a password" $monitor) }}
  {{- end }}
  {{- end }}
{{- end }}
{{- with $values.prometheusRule }}
{{- if and .enabled .interval (gt (include "kms-exporter.milliseconds" .interval | int) 60000) }}
  {{- $wrong = append $wrong (printf "prometheusRule.interval is %s, longer than a minute, and the rules remember by reading what they recorded last; make it 1m or shorter" .interval) }}
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
  {{- $wrong = append $wrong (printf "podDisruptionBudget allows no pod of %d to be away, so nodes could never be drained; raise %s or maxUnavailable" (include "kms-exporter.pods" . | int) (ternary "sharding.shards" "replicaCount" (eq (include "kms-exporter.sharded" .) "true"))) }}
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

{{/* What is wrong with several shards, as JSON. */}}
{{- define "kms-exporter.shardingChecks" -}}
{{- $values := .Values }}
{{- $shards := int $values.sharding.shards }}
{{- $wrong := list }}
{{- if semverCompare "<1.28-0" .Capabilities.KubeVersion.Version }}
  {{- $wrong = append $wrong (printf "sharding.shards is %d, which takes Kubernetes 1.28 or newer, where a pod is told its index; this is %s: install a release for each shard, with config.shard" $shards .Capabilities.KubeVersion.Version) }}
{{- end }}
{{- if ne (int $values.replicaCount) 1 }}
  {{- $wrong = append $wrong (printf "sharding.shards is %d and replicaCount is %d; shards share the work and replicas repeat it: leave out replicaCount, and install a second release where each shard shall have a replica" $shards (int $values.replicaCount)) }}
{{- end }}
{{- if $values.config.shard }}
  {{- $wrong = append $wrong (printf "sharding.shards is %d and config.shard is given; each pod is told its own shard: use one of them" $shards) }}
{{- end }}
{{- range $values.extraArgs }}
  {{- if hasPrefix "--shard." . }}
    {{- $wrong = append $wrong (printf "extraArgs has %s, which would make every pod the same shard; leave it to sharding.shards" .) }}
  {{- end }}
{{- end }}
{{- range $values.extraEnv }}
  {{- if hasPrefix "KMS_EXPORTER_SHARD__" .name }}
    {{- $wrong = append $wrong (printf "extraEnv has %s, which would make every pod the same shard; leave it to sharding.shards" .name) }}
  {{- end }}
{{- end }}
{{- if $values.demo }}
  {{- $wrong = append $wrong (printf "sharding.shards is %d and demo is on, which emulates an organization inside each pod; leave out sharding" $shards) }}
{{- end }}
{{- with dig "changes" "sqs_queue_url" "" $values.config }}
  {{- if not (contains "{shard}" .) }}
    {{- $wrong = append $wrong (printf "config.changes.sqs_queue_url is %s for each of %d shards; what one takes out of it the others never see: give each a queue of its own, and say {shard} where their names differ" . $shards) }}
  {{- end }}
{{- end }}
{{- $name := include "kms-exporter.fullname" . }}
{{- if gt (len $name) 52 }}
  {{- $wrong = append $wrong (printf "the name %s has %d characters, and the pods of a StatefulSet take 52; set fullnameOverride" $name (len $name)) }}
{{- end }}
{{- toJson $wrong }}
{{- end }}

{{- define "kms-exporter.blocksDrains" -}}
{{- $budget := .Values.podDisruptionBudget }}
{{- $replicas := include "kms-exporter.pods" . | int }}
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
