{{/* The name of everything. */}}
{{- define "tmcwatch.name" -}}
{{- default (.Release.Name | replace "." "-") .Values.fullnameOverride -}}
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
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
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

{{/* Where people reach it: without a name of its own, as the links in messages say. */}}
{{- define "tmcwatch.host" -}}
{{- default (get (urlParse (default "" .Values.config.http.external_url)) "hostname") .Values.ingress.host -}}
{{- end -}}

{{/* The milliseconds of `config.grace`; 0 if only the pod knows. */}}
{{- define "tmcwatch.grace" -}}
{{- $text := default "25s" .Values.config.grace -}}
{{- $sum := 0 -}}
{{- range $unit, $milliseconds := dict "d" 86400000 "h" 3600000 "m" 60000 "s" 1000 "ms" 1 -}}
{{- with regexFind (printf "[0-9]+%s($|[0-9])" $unit) $text -}}
{{- $sum = add $sum (mul (regexFind "^[0-9]+" .) $milliseconds) -}}
{{- end -}}
{{- end -}}
{{- $sum -}}
{{- end -}}

{{/* Ports that the config goes out by and the NetworkPolicy does not let through, as far as addresses tell. */}}
{{- define "tmcwatch.closedPorts" -}}
{{- $open := list "443" "53" -}}
{{- $isOpen := not .Values.networkPolicy.enabled -}}
{{- range .Values.networkPolicy.extraEgress -}}
{{- if not .ports -}}{{- $isOpen = true -}}{{- end -}}
{{- range .ports -}}{{- $open = append $open (toString .port) -}}{{- end -}}
{{- end -}}
{{- $closed := list -}}
{{- range regexFindAll "https?://[^/\\s\"]+" (toJson (list (omit .Values.config "http" "labels") .Values.extraEnv)) -1 -}}
{{- $usual := ternary "443" "80" (hasPrefix "https:" .) -}}
{{- $port := default $usual (regexFind ":[0-9]+$" . | trimPrefix ":") -}}
{{- if not (has $port $open) -}}{{- $closed = append $closed $port -}}{{- end -}}
{{- end -}}
{{- if not $isOpen -}}{{- $closed | uniq | sortAlpha | join ", " -}}{{- end -}}
{{- end -}}

{{/* The files of the config folder. */}}
{{- define "tmcwatch.configFiles" -}}
{{- merge (dict "tmcwatch.yaml" (toYaml .Values.config)) .Values.configFiles | toYaml -}}
{{- end -}}

{{/* What would not work is said before anything is changed. */}}
{{- define "tmcwatch.checked" -}}
{{- if and (gt (int .Values.replicas) 1) (hasPrefix "sqlite:" .Values.config.store.url) -}}
{{- fail (printf "replicas is %d, but the store is SQLite (config.store.url), a file that belongs to one process: set replicas to 1" (int .Values.replicas)) -}}
{{- end -}}
{{- if or (hasPrefix "127." .Values.config.http.listen) (hasPrefix "localhost:" .Values.config.http.listen) -}}
{{- fail (printf "config.http.listen is %s, which neither probes nor the Service reach: set it to 0.0.0.0:10477" .Values.config.http.listen) -}}
{{- end -}}
{{- if ge (int (include "tmcwatch.grace" .)) (int (mul 1000 .Values.terminationGracePeriodSeconds)) -}}
{{- fail (printf "terminationGracePeriodSeconds is %d, but config.grace is %s: the pod would be killed first; make it longer" (int .Values.terminationGracePeriodSeconds) (default "25s" .Values.config.grace)) -}}
{{- end -}}
{{- $isMounted := not (empty .Values.existingSecret) -}}
{{- range .Values.extraVolumeMounts -}}
{{- if hasPrefix "/run/secrets/tmcwatch" .mountPath -}}{{- $isMounted = true -}}{{- end -}}
{{- end -}}
{{- if and (not $isMounted) (contains "/run/secrets/tmcwatch/" (toJson .Values.config)) -}}
{{- fail "config names files in /run/secrets/tmcwatch, but existingSecret is empty: name a Secret, or mount them there by extraVolumeMounts" -}}
{{- end -}}
{{- if hasKey .Values.configFiles "tmcwatch.yaml" -}}
{{- fail "configFiles has tmcwatch.yaml, which config makes: give it another name" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not (include "tmcwatch.host" .)) -}}
{{- fail "ingress.enabled is true, but no host is known: set config.http.external_url, or ingress.host" -}}
{{- end -}}
{{- end -}}
