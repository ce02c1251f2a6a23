{{/* The name of everything. */}}
{{- define "tmcwatch.name" -}}
{{- default .Release.Name .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{/* What tells this release's objects from others; it never changes. */}}
{{- define "tmcwatch.selector" -}}
app.kubernetes.io/name: tmcwatch
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "tmcwatch.labels" -}}
{{ include "tmcwatch.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "tmcwatch.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "tmcwatch.name" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "tmcwatch.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{/* The port that the config says, so that nothing else has to say it. */}}
{{- define "tmcwatch.port" -}}
{{- .Values.config.http.listen | splitList ":" | last -}}
{{- end -}}

{{/* The files of the config folder. */}}
{{- define "tmcwatch.configFiles" -}}
tmcwatch.yaml: |
  {{- toYaml .Values.config | nindent 2 }}
{{- range $name, $content := .Values.configFiles }}
{{ $name }}: |
  {{- $content | nindent 2 }}
{{- end }}
{{- end -}}

{{/* What would not work is said before anything is changed. */}}
{{- define "tmcwatch.checked" -}}
{{- if and (gt (int .Values.replicas) 1) (hasPrefix "sqlite:" .Values.config.store.url) -}}
{{- fail (printf "replicas is %d, but the store is SQLite (config.store.url), a file that belongs to one process: set replicas to 1" (int .Values.replicas)) -}}
{{- end -}}
{{- if or (hasPrefix "127." .Values.config.http.listen) (hasPrefix "localhost:" .Values.config.http.listen) -}}
{{- fail (printf "config.http.listen is %s, which neither probes nor the Service reach: set it to 0.0.0.0:10477" .Values.config.http.listen) -}}
{{- end -}}
{{- end -}}
