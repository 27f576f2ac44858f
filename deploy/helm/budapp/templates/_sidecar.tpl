{{/* From the first signal to the end of budapp. */}}
{{- define "budapp.stopSeconds" -}}
{{- add .Values.shutdown.forgetSeconds .Values.shutdown.drainSeconds -}}
{{- end -}}

{{/* What Kubernetes waits: for budapp, and then for its sidecar. */}}
{{- define "budapp.graceSeconds" -}}
{{- add (include "budapp.stopSeconds" .) 10 -}}
{{- end -}}

{{/* The annotations by which Dapr puts a sidecar into the pod. It is told to stop at the same moment as budapp, and has to
     carry what budapp still delivers: it stays until budapp no longer answers. */}}
{{- define "budapp.sidecar" -}}
{{- with .Values.dapr -}}
dapr.io/enabled: "true"
dapr.io/app-id: {{ include "budapp.setting" (dict "root" $ "name" "APP_ID") | quote }}
dapr.io/app-port: {{ include "budapp.setting" (dict "root" $ "name" "APP_PORT") | quote }}
dapr.io/app-protocol: http
dapr.io/app-token-secret: {{ .appTokenSecret | quote }}
{{- with .apiTokenSecret }}
dapr.io/api-token-secret: {{ . | quote }}
{{- end }}
{{- with .configuration }}
dapr.io/config: {{ . | quote }}
{{- end }}
dapr.io/enable-app-health-check: "true"
dapr.io/app-health-check-path: /livez
dapr.io/app-health-probe-interval: "3"
dapr.io/app-health-probe-timeout: "2000"
dapr.io/app-health-threshold: "3"
dapr.io/block-shutdown-duration: {{ include "budapp.stopSeconds" $ }}s
dapr.io/graceful-shutdown-seconds: "5"
dapr.io/log-level: {{ .logLevel }}
dapr.io/log-as-json: "true"
dapr.io/enable-metrics: "true"
dapr.io/metrics-port: {{ .metricsPort | quote }}
dapr.io/sidecar-cpu-request: {{ .resources.requests.cpu | quote }}
dapr.io/sidecar-cpu-limit: {{ .resources.limits.cpu | quote }}
dapr.io/sidecar-memory-request: {{ .resources.requests.memory | quote }}
dapr.io/sidecar-memory-limit: {{ .resources.limits.memory | quote }}
dapr.io/sidecar-seccomp-profile-type: RuntimeDefault
{{- end }}
{{- end -}}
