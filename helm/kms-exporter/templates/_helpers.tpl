{{/* Names and labels. */}}

{{- define "kms-exporter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "kms-exporter.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "kms-exporter.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "kms-exporter.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* What selects the pods: never anything that a new version changes, since a Deployment's selector can't change. */}}
{{- define "kms-exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "kms-exporter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "kms-exporter.labels" -}}
{{- $own := fromYaml (include "kms-exporter.selectorLabels" .) }}
{{- $own = merge $own (dict
  "app.kubernetes.io/version" .Chart.AppVersion
  "app.kubernetes.io/component" "exporter"
  "app.kubernetes.io/part-of" "kms-exporter"
  "app.kubernetes.io/managed-by" .Release.Service
  "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
) }}
{{- merge $own .Values.commonLabels | toYaml }}
{{- end }}

{{/*
The metadata of a resource.
  root         the root context
  name         its name; the full name of the release without it
  namespace    its namespace; that of the release without it
  labels       its own labels
  annotations  its own annotations
*/}}
{{- define "kms-exporter.metadata" -}}
{{- $root := .root -}}
metadata:
  name: {{ .name | default (include "kms-exporter.fullname" $root) }}
  namespace: {{ .namespace | default $root.Release.Namespace }}
  labels:
    {{- merge (fromYaml (include "kms-exporter.labels" $root)) (.labels | default dict) | toYaml | nindent 4 }}
  {{- with merge dict (.annotations | default dict) $root.Values.commonAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* Shards. */}}

{{- define "kms-exporter.sharded" -}}
{{- if gt (int .Values.sharding.shards) 1 }}true{{ end }}
{{- end }}

{{/* How many pods there are. */}}
{{- define "kms-exporter.pods" -}}
{{- if include "kms-exporter.sharded" . }}{{ .Values.sharding.shards }}{{ else }}{{ .Values.replicaCount }}{{ end }}
{{- end }}

{{/* The headless Service, which gives each shard a name of its own: NAME-0.SERVICE.NAMESPACE.svc. */}}
{{- define "kms-exporter.shardsService" -}}
{{- printf "%s-shards" (include "kms-exporter.fullname" .) }}
{{- end }}

{{/* Marks the Service that a ServiceMonitor leaves out, since the other one has the same pods. */}}
{{- define "kms-exporter.notScraped" -}}
prometheus.io/service-monitor: "false"
{{- end }}

{{- define "kms-exporter.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default (include "kms-exporter.fullname" .) }}
{{- else }}
{{- .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}

{{- define "kms-exporter.image" -}}
{{- $image := .Values.image }}
{{- with $image.registry }}{{ . }}/{{ end }}{{ $image.repository }}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{/* What the configuration says of the web server, or its defaults. */}}

{{- define "kms-exporter.listenAddress" -}}
{{- dig "web" "listen_address" "0.0.0.0:10841" .Values.config }}
{{- end }}

{{- define "kms-exporter.port" -}}
{{- include "kms-exporter.listenAddress" . | regexFind "[0-9]+$" }}
{{- end }}

{{- define "kms-exporter.telemetryPath" -}}
{{- dig "web" "telemetry_path" "/metrics" .Values.config }}
{{- end }}

{{/* Not empty while the chart brings a web configuration. */}}
{{- define "kms-exporter.webConfig" -}}
{{- if or .Values.webConfig.content .Values.webConfig.existingSecret }}true{{ end }}
{{- end }}

{{/* The port that probes go to, empty where it is that of everything else. */}}
{{- define "kms-exporter.probePort" -}}
{{- with dig "web" "probe_address" "" .Values.config }}
{{- regexFind "[0-9]+$" . }}
{{- else }}
{{- if include "kms-exporter.webConfig" . }}{{ int .Values.webConfig.probePort }}{{ end }}
{{- end }}
{{- end }}

{{/* A probe as the values have it, led to the port that probes go to. */}}
{{- define "kms-exporter.probe" -}}
{{- $probe := deepCopy .probe }}
{{- if and (include "kms-exporter.probePort" .root) (eq (dig "httpGet" "port" "" $probe | toString) "http") }}
{{- $_ := set $probe.httpGet "port" "probes" }}
{{- end }}
{{- toYaml $probe }}
{{- end }}

{{/* The spread of the pods: what the values say, each with the pods' selector, else over nodes and zones. */}}
{{- define "kms-exporter.topologySpread" -}}
{{- $selector := dict "matchLabels" (fromYaml (include "kms-exporter.selectorLabels" .)) }}
{{- $default := list
  (dict "maxSkew" 1 "topologyKey" "kubernetes.io/hostname" "whenUnsatisfiable" "ScheduleAnyway")
  (dict "maxSkew" 1 "topologyKey" "topology.kubernetes.io/zone" "whenUnsatisfiable" "ScheduleAnyway")
}}
{{- $constraints := list }}
{{- range .Values.topologySpreadConstraints | default $default }}
{{- $constraints = append $constraints (merge dict . (dict "labelSelector" $selector)) }}
{{- end }}
{{- toYaml $constraints }}
{{- end }}

{{/* The name of the resource for a dashboard, which does not repeat what its file and the release both are called. */}}
{{- define "kms-exporter.dashboardName" -}}
{{- $dashboard := base .path | trimSuffix ".json" | trimPrefix "kms-" }}
{{- printf "%s-dashboard-%s" (include "kms-exporter.fullname" .root | trunc 40 | trimSuffix "-") $dashboard | trunc 63 | trimSuffix "-" }}
{{- end }}
