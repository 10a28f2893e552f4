{{/* What a pod is made of, with or without shards. */}}
{{- define "kms-exporter.podTemplate" -}}
{{- $values := .Values }}
{{- $sharded := include "kms-exporter.sharded" . }}
metadata:
  labels:
    {{- $labels := omit (fromYaml (include "kms-exporter.labels" .)) "helm.sh/chart" }}
    {{- merge $labels $values.podLabels | toYaml | nindent 4 }}
  annotations:
    kubectl.kubernetes.io/default-container: kms-exporter
    {{- if not (or $values.configSecret.name $values.demo) }}
    # A pod reads its configuration when it starts, so another configuration takes other pods.
    checksum/config: {{ toYaml $values.config | sha256sum }}
    {{- end }}
    {{- with merge dict $values.podAnnotations $values.commonAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "kms-exporter.serviceAccountName" . }}
  automountServiceAccountToken: false
  # Variables of the namespace's Services, which begin with KMS_EXPORTER_ for this one, would stand among the options.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
  {{- with $values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.podSecurityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.extraInitContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: kms-exporter
      image: {{ include "kms-exporter.image" . | quote }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      args:
        {{- if $values.demo }}
        - demo
        - --web.listen_address=0.0.0.0:{{ include "kms-exporter.port" . }}
        {{- else }}
        - serve
        - --config=/etc/kms-exporter/{{ ternary $values.configSecret.key "config.yaml" (ne $values.configSecret.name "") }}
        {{- end }}
        {{- if include "kms-exporter.webConfig" . }}
        - --web.config_file=/etc/kms-exporter-web/{{ $values.webConfig.key }}
        {{- if not (dig "web" "probe_address" "" $values.config) }}
        - --web.probe_address=:{{ include "kms-exporter.probePort" . }}
        {{- end }}
        {{- end }}
        {{- with $values.extraArgs }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- if or $sharded $values.accountsSecret.name $values.extraEnv }}
      env:
        {{- if $sharded }}
        - name: KMS_EXPORTER_SHARD__INDEX
          valueFrom:
            fieldRef:
              # https://kubernetes.io/docs/reference/labels-annotations-taints/#apps-kubernetes.io-pod-index
              fieldPath: metadata.labels['apps.kubernetes.io/pod-index']
        - name: KMS_EXPORTER_SHARD__TOTAL
          value: {{ int $values.sharding.shards | quote }}
        {{- end }}
        {{- with $values.accountsSecret }}
        {{- if .name }}
        - name: KMS_EXPORTER_AWS__ACCOUNTS
          valueFrom:
            secretKeyRef:
              name: {{ .name }}
              key: {{ .key }}
        {{- end }}
        {{- end }}
        {{- with $values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
      {{- with $values.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - name: http
          containerPort: {{ include "kms-exporter.port" . }}
          protocol: TCP
        {{- with include "kms-exporter.probePort" . }}
        - name: probes
          containerPort: {{ . }}
          protocol: TCP
        {{- end }}
      {{- range $probe := list "startupProbe" "livenessProbe" "readinessProbe" }}
      {{- with index $values $probe }}
      {{ $probe }}:
        {{- include "kms-exporter.probe" (dict "root" $ "probe" .) | nindent 8 }}
      {{- end }}
      {{- end }}
      {{- with $values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.securityContext }}
      securityContext:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- if or (not $values.demo) (include "kms-exporter.webConfig" .) $values.extraVolumeMounts }}
      volumeMounts:
        {{- if not $values.demo }}
        - name: config
          mountPath: /etc/kms-exporter
          readOnly: true
        {{- end }}
        {{- if include "kms-exporter.webConfig" . }}
        - name: web
          mountPath: /etc/kms-exporter-web
          readOnly: true
        {{- end }}
        {{- if $values.webConfig.tlsSecret }}
        - name: tls
          mountPath: /etc/kms-exporter-tls
          readOnly: true
        {{- end }}
        {{- with $values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
    {{- with $values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- if or (not $values.demo) (include "kms-exporter.webConfig" .) $values.extraVolumes }}
  volumes:
    {{- if $values.configSecret.name }}
    - name: config
      secret:
        secretName: {{ $values.configSecret.name }}
    {{- else if not $values.demo }}
    - name: config
      configMap:
        name: {{ include "kms-exporter.fullname" . }}
    {{- end }}
    {{- if include "kms-exporter.webConfig" . }}
    - name: web
      secret:
        secretName: {{ $values.webConfig.existingSecret | default (printf "%s-web" (include "kms-exporter.fullname" .)) }}
    {{- end }}
    {{- with $values.webConfig.tlsSecret }}
    - name: tls
      secret:
        secretName: {{ . }}
    {{- end }}
    {{- with $values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
  topologySpreadConstraints:
    {{- include "kms-exporter.topologySpread" . | nindent 4 }}
  {{- range $field := list "nodeSelector" "affinity" "tolerations" "dnsConfig" "hostAliases" }}
  {{- with index $values $field }}
  {{ $field }}:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  {{- range $field := list "priorityClassName" "schedulerName" "runtimeClassName" "dnsPolicy" }}
  {{- with index $values $field }}
  {{ $field }}: {{ . }}
  {{- end }}
  {{- end }}
{{- end }}
