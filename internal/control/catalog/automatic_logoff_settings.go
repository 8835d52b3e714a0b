package catalog

import (
	"math"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// limitKind says what a setting ends.
type limitKind int

const (
	// idleLimit ends a session that was not used for so long.
	idleLimit limitKind = iota
	// absoluteLimit ends a session so long after its start.
	absoluteLimit
	// transportLimit ends a connection, or renews what a session rests on.
	transportLimit
	// rememberedIdle and rememberedAbsolute are those of sessions of people who ask to be
	// remembered, and zero where these have the same as others.
	rememberedIdle
	rememberedAbsolute
	// noLimit is none of these, and looks like one.
	noLimit
)

// sessionSetting is a setting that is known to limit something.
type sessionSetting struct {
	kind limitKind
	// unit of a bare number; zero where the application takes none.
	unit time.Duration
}

const day = 24 * time.Hour

// sessionSettings are the known settings by the words of their names. A longer name
// that ends in one of them is meant too: prefixes differ (GF_, KC_, spring.).
var sessionSettings = map[string]sessionSetting{
	// For applications of one's own.
	"session.idle.timeout":     {idleLimit, 0},
	"session.absolute.timeout": {absoluteLimit, 0},
	"session.max.lifetime":     {absoluteLimit, 0},

	// Spring Boot, Tomcat.
	"server.servlet.session.timeout":        {idleLimit, time.Second},
	"server.reactive.session.timeout":       {idleLimit, time.Second},
	"spring.session.timeout":                {idleLimit, time.Second},
	"session-timeout":                       {idleLimit, time.Minute}, // web.xml
	"server.tomcat.connection.timeout":      {transportLimit, 0},
	"server.servlet.session.cookie.max.age": {absoluteLimit, time.Second},

	// Keycloak, in the files of realms.
	"sso.session.idle.timeout": {idleLimit, time.Second},
	"sso.session.max.lifespan": {absoluteLimit, time.Second},

	"sso.session.idle.timeout.remember.me": {rememberedIdle, time.Second},
	"sso.session.max.lifespan.remember.me": {rememberedAbsolute, time.Second},
	// Those of clients only shorten the realm's, and offline tokens are no sessions.
	"client.session.idle.timeout":  {noLimit, 0},
	"client.session.max.lifespan":  {noLimit, 0},
	"offline.session.idle.timeout": {noLimit, 0},
	"offline.session.max.lifespan": {noLimit, 0},

	// oauth2-proxy: its cookie has an end, and is renewed as long as it is used or not.
	"cookie.expire":  {absoluteLimit, 0},
	"cookie.refresh": {transportLimit, 0},

	// Argo CD: the token of a session has an end, used or not.
	"users.session.duration": {absoluteLimit, 0},

	// Grafana, Kibana, pgAdmin, phpMyAdmin.
	"auth.login.maximum.inactive.lifetime.duration": {idleLimit, 0},
	"auth.login.maximum.lifetime.duration":          {absoluteLimit, 0},
	"auth.login.maximum.inactive.lifetime.days":     {idleLimit, day}, // before Grafana 7
	"auth.login.maximum.lifetime.days":              {absoluteLimit, day},
	"xpack.security.session.idle.timeout":           {idleLimit, time.Millisecond},
	"xpack.security.session.idletimeout":            {idleLimit, time.Millisecond}, // as a variable
	"xpack.security.session.lifespan":               {absoluteLimit, time.Millisecond},
	"pgadmin.config.user.inactivity.timeout":        {idleLimit, time.Second},
	"pgadmin.config.session.expiration.time":        {absoluteLimit, day},
	"cfg.login.cookie.validity":                     {idleLimit, time.Second},

	// Frameworks.
	"session.lifetime":           {idleLimit, time.Minute},     // Laravel
	"session.gc.maxlifetime":     {idleLimit, time.Second},     // PHP
	"session.cookie.age":         {absoluteLimit, time.Second}, // Django
	"permanent.session.lifetime": {absoluteLimit, time.Second}, // Flask

	// Applications around health records, and consoles.
	"api.session.timeout":                     {idleLimit, time.Minute}, // Guacamole
	"server.api.sessionmaxinactiveinterval":   {idleLimit, time.Second}, // Mirth Connect
	"sessiontimeout":                          {idleLimit, time.Minute}, // Jenkins --sessionTimeout
	"sessioneviction":                         {idleLimit, time.Second}, // Jenkins --sessionEviction
	"auth.timeout.minutes":                    {idleLimit, time.Minute}, // RStudio
	"access.token.inactivity.timeout":         {idleLimit, 0},           // OpenShift
	"access.token.inactivity.timeout.seconds": {idleLimit, time.Second},
	"access.token.max.age.seconds":            {absoluteLimit, time.Second},
	"tmout":                                   {idleLimit, time.Second},      // shells
	"channel.timeout":                         {idleLimit, time.Second},      // sshd
	"idle.session.timeout":                    {idleLimit, time.Millisecond}, // PostgreSQL
	"interactive.timeout":                     {idleLimit, time.Second},      // MySQL

	// Limits of connections.
	"wait.timeout":                      {transportLimit, 0},
	"keepalive.timeout":                 {transportLimit, 0},
	"keep.alive.timeout":                {transportLimit, 0},
	"proxy.read.timeout":                {transportLimit, 0},
	"proxy.send.timeout":                {transportLimit, 0},
	"client.alive.interval":             {transportLimit, 0},
	"client.alive.count.max":            {transportLimit, 0},
	"stream.idle.timeout":               {transportLimit, 0},
	"connection.idle.timeout":           {transportLimit, 0},
	"streaming.connection.idle.timeout": {transportLimit, 0},
	"idle.timeout":                      {transportLimit, 0}, // Envoy counts connections
	"connection.timeout":                {transportLimit, 0},
	"connect.timeout":                   {transportLimit, 0},
	"read.timeout":                      {transportLimit, 0},
	"request.timeout":                   {transportLimit, 0},
}

// exactNames are settings whose words mean something else elsewhere.
var exactNames = map[string]sessionSetting{
	"session-timeout": {idleLimit, time.Minute}, // web.xml
	"sessionTimeout":  {idleLimit, time.Minute}, // Jenkins
	"sessionEviction": {idleLimit, time.Second}, // Jenkins
}

// remediesByImage say where applications keep their limit that have it in no setting
// which a pod is given.
var remediesByImage = map[string]string{
	"openemr/openemr":       "set Administration, Config, Security, Idle Session Timeout Seconds in OpenEMR, which keeps it in its database,",
	"phpmyadmin/phpmyadmin": "set $cfg['LoginCookieValidity'] of phpMyAdmin in a mounted ConfigMap, in seconds,",
	"keycloak/keycloak":     "set ssoSessionIdleTimeout of the realm, in seconds,",
	"kibana/kibana":         "set xpack.security.session.idleTimeout of Kibana, in kibana.yml or as XPACK_SECURITY_SESSION_IDLETIMEOUT,",
	"jenkins/jenkins":       "set --sessionTimeout of Jenkins, in minutes, or --sessionEviction, in seconds, in JENKINS_OPTS",
	"guacamole/guacamole":   "set API_SESSION_TIMEOUT of Guacamole, in minutes,",
	"dpage/pgadmin4":        "set PGADMIN_CONFIG_USER_INACTIVITY_TIMEOUT of pgAdmin, in seconds,",
	"argoproj/argocd":       "end unused sessions where people sign in: Argo CD has an absolute limit only, users.session.duration in argocd-cm; set that of its identity provider",
	"grafana/grafana":       "set GF_AUTH_LOGIN_MAXIMUM_INACTIVE_LIFETIME_DURATION of Grafana",
	"oauth2-proxy":          "end unused sessions where they are kept: oauth2-proxy has absolute limits only; set that of its identity provider",
	"hapiproject/hapi":      "set SERVER_SERVLET_SESSION_TIMEOUT of HAPI FHIR",
}

// sessionSettingOf finds what is known of a name; the longest known end counts.
func sessionSettingOf(name string) *sessionSetting {
	if known, is := exactNames[name]; is {
		return &known
	}
	words := wordsOf(name)
	for from := range words {
		if known, is := sessionSettings[strings.Join(words[from:], ".")]; is && (from == 0 || len(words)-from > 1) {
			return &known
		}
	}
	return nil
}

var (
	// spokenLimit is 15m, 1h30m, 900s, 15 minutes.
	spokenLimit = regexp.MustCompile(`^(?:\d+(?:\.\d+)?\s*[a-zA-Z]+\s*)+$`)
	limitPart   = regexp.MustCompile(`(\d+(?:\.\d+)?)\s*([a-zA-Z]+)`)
	limitUnits  = map[string]time.Duration{
		"ms": time.Millisecond, "s": time.Second, "sec": time.Second, "secs": time.Second, "second": time.Second, "seconds": time.Second,
		"m": time.Minute, "min": time.Minute, "mins": time.Minute, "minute": time.Minute, "minutes": time.Minute,
		"h": time.Hour, "hour": time.Hour, "hours": time.Hour, "d": day, "day": day, "days": day, "w": 7 * day, "week": 7 * day, "weeks": 7 * day, "y": 365 * day,
	}
)

// optionsIn are what a variable gives an application as arguments.
func optionsIn(s control.Setting) []control.Setting {
	switch s.Name {
	case "JENKINS_OPTS", "JAVA_OPTS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "CATALINA_OPTS":
		return control.ArgumentsOf([]control.Command{{Path: s.Path, Words: strings.Fields(s.Value)}})
	default:
		return nil
	}
}

// endsFirst leaves of the two limits of Jenkins the one that ends a session. It drops one
// from memory after sessionEviction without use, and does not where that is -1, or is 0,
// which waits for its last request to be answered; it ends one after sessionTimeout, which
// nothing else changes. What cannot be read is left to be judged. It changes what it is
// given.
func endsFirst(told []control.Setting) []control.Setting {
	named := func(name string) int {
		return slices.IndexFunc(told, func(s control.Setting) bool { return strings.EqualFold(s.Name, name) })
	}
	timeout, eviction := named("sessionTimeout"), named("sessionEviction")
	if eviction < 0 {
		return told
	}
	evicts, said := limitOf(told[eviction].Value, time.Second)
	switch {
	case !said:
		return told
	case evicts <= 0:
		return slices.Delete(told, eviction, eviction+1)
	case timeout < 0:
		return told
	}
	switch ends, said := limitOf(told[timeout].Value, time.Minute); {
	case !said:
		return told
	case ends <= 0 || evicts < ends:
		return slices.Delete(told, timeout, timeout+1)
	default:
		return slices.Delete(told, eviction, eviction+1)
	}
}

// channelsIn is the limit of sessions where a value names one for each type of sshd's
// channels, such as session:*=15m x11=5m: the first that fits counts. What names no type
// stays as it is; what names others alone leaves sessions without a limit.
func channelsIn(value string) string {
	if !strings.Contains(value, "=") {
		return value
	}
	for pair := range strings.FieldsSeq(value) {
		pattern, limit, _ := strings.Cut(pair, "=")
		if fits, err := path.Match(pattern, "session"); err == nil && fits || pattern == "global" || strings.HasPrefix(pattern, "session:") {
			return limit
		}
	}
	return "0"
}

// longestLimit bounds what is computed; whoever writes more has no limit.
const longestLimit = 10 * 365 * day

// limitOf reads a limit: a number of the unit, or a duration that names its own. Zero
// or less is none. An M that is no part of an ISO 8601 duration is a month to Grafana
// and Kibana and a minute to Spring: it cannot be read.
func limitOf(value string, unit time.Duration) (limit time.Duration, said bool) {
	value = strings.TrimSpace(value)
	if number, err := strconv.ParseFloat(value, 64); err == nil && len(value) < 24 {
		return times(number, unit), unit > 0 || number <= 0
	}
	value, iso := isoDuration(value)
	if len(value) > 64 || !spokenLimit.MatchString(value) {
		return 0, false
	}
	for _, part := range limitPart.FindAllStringSubmatch(value, -1) {
		number, err := strconv.ParseFloat(part[1], 64)
		of, known := limitUnits[strings.ToLower(part[2])]
		if err != nil || !known || part[2] == "M" && !iso {
			return 0, false
		}
		limit = min(limit+times(number, of), longestLimit)
	}
	return limit, true
}

// isoDuration takes the marks of ISO 8601 off a duration, PT15M or P1D.
func isoDuration(value string) (rest string, is bool) {
	upper := strings.ToUpper(value)
	if time, is := strings.CutPrefix(upper, "PT"); is {
		return time, true
	}
	if days, is := strings.CutPrefix(upper, "P"); is && strings.HasSuffix(days, "D") {
		return days, true
	}
	return value, false
}

func times(number float64, unit time.Duration) time.Duration {
	switch {
	case math.IsNaN(number) || number <= 0:
		return 0
	case number*float64(unit) > float64(longestLimit):
		return longestLimit
	default:
		return time.Duration(number * float64(unit))
	}
}
