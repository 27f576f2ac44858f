{{- define "budapp.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "budapp.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "budapp.labels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: bud-stack
{{ include "budapp.selector" . }}
{{- end -}}

{{- define "budapp.serviceAccount" -}}
{{- ternary (default (include "budapp.fullname" .) .Values.serviceAccount.name) (default "default" .Values.serviceAccount.name) .Values.serviceAccount.create -}}
{{- end -}}

{{- define "budapp.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}{{- else -}}{{ .repository }}:{{ default $.Chart.AppVersion .tag }}{{- end -}}
{{- end -}}
{{- end -}}

{{/* A setting as text: lists with commas, whole numbers as they are written. */}}
{{- define "budapp.text" -}}
{{- $value := .value -}}
{{- if kindIs "slice" $value -}}{{ join "," $value }}
{{- else if kindIs "string" $value -}}{{ tpl $value .root }}
{{- else if and (kindIs "float64" $value) (eq (floor $value) $value) -}}{{ int64 $value }}
{{- else -}}{{ $value }}
{{- end -}}
{{- end -}}

{{/* A setting by its name. */}}
{{- define "budapp.setting" -}}
{{- include "budapp.text" (dict "value" (index .root.Values.settings .name) "root" .root) -}}
{{- end -}}

{{/* The environment of budapp. Called with `without`: names of settings that are left out. */}}
{{- define "budapp.env" -}}
{{- $root := .root -}}
{{- range $name, $value := $root.Values.settings }}
{{- if and (not (has $name $.without)) (not (kindIs "invalid" $value)) }}
- name: {{ $name }}
  value: {{ include "budapp.text" (dict "value" $value "root" $root) | quote }}
{{- end }}
{{- end }}
- name: APP_API_TOKEN
  valueFrom:
    secretKeyRef: {name: {{ $root.Values.dapr.appTokenSecret }}, key: token}
{{- with $root.Values.dapr.apiTokenSecret }}
- name: DAPR_API_TOKEN
  valueFrom:
    secretKeyRef: {name: {{ . }}, key: token}
{{- end }}
{{- range $name, $needed := fromYaml (include "budapp.secrets" $root) }}
{{- $from := get $root.Values.secrets.from $name }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef:
      name: {{ default $root.Values.secrets.name ($from | default dict).name }}
      key: {{ default $name ($from | default dict).key }}
      {{- if not (or $needed $from) }}
      optional: true
      {{- end }}
{{- end }}
{{- with $root.Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The secret settings, but for the two tokens; and whether budapp needs them. */}}
{{- define "budapp.secrets" -}}
API_KEY_PEPPERS: false
AUDIT_KEYS: false
ENCRYPTION_KEYS: true
KEYCLOAK_ADMIN_PASSWORD: true
MINIO_ACCESS_KEY: false
MINIO_SECRET_KEY: false
PSQL_PASSWORD: true
SUPER_USER_PASSWORD: true
TENSORZERO_REDIS_URL: true
{{- end -}}

{{- define "budapp.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "budapp.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* What every pod of budapp has in common. */}}
{{- define "budapp.pod" -}}
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
securityContext: {{ include "budapp.podSecurity" . | nindent 2 }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
volumes:
  - name: tmp
    emptyDir: {}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "budapp.mounts" -}}
- name: tmp
  mountPath: /tmp
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}
