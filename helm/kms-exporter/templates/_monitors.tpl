{{/*
The endpoint of a ServiceMonitor or PodMonitor.
  root     the root context
  monitor  its values
*/}}
{{- define "kms-exporter.endpoint" -}}
port: http
path: {{ include "kms-exporter.telemetryPath" .root }}
honorLabels: {{ .monitor.honorLabels }}
{{- with .monitor.interval }}
interval: {{ . }}
{{- end }}
{{- with .monitor.scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- with .monitor.scheme }}
scheme: {{ . }}
{{- end }}
{{- with .monitor.tlsConfig }}
tlsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .monitor.basicAuth }}
basicAuth:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .monitor.relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .monitor.metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What the specifications of both kinds of monitor share; the same arguments. */}}
{{- define "kms-exporter.monitored" -}}
namespaceSelector:
  matchNames:
    - {{ .root.Release.Namespace }}
selector:
  matchLabels:
    {{- include "kms-exporter.selectorLabels" .root | nindent 4 }}
  {{- if include "kms-exporter.sharded" .root }}
  matchExpressions:
    {{- range $label, $value := include "kms-exporter.notScraped" .root | fromYaml }}
    - {key: {{ $label }}, operator: NotIn, values: [{{ quote $value }}]}
    {{- end }}
  {{- end }}
{{- with .monitor.jobLabel }}
jobLabel: {{ . }}
{{- end }}
{{- with .monitor.podTargetLabels }}
podTargetLabels:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .monitor.limits }}
{{ toYaml . }}
{{- end }}
{{- end }}
