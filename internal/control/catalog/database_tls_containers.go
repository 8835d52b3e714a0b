package catalog

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

func (t *databaseTLS) pod() {
	spec := &t.subject.Pod.Spec
	var files []control.Setting // of the ConfigMaps that the pod mounts, read once
	read := false
	mounted := func() []control.Setting {
		if !read {
			files, read = mountedEntries(spec, t.subject.World.ConfigMaps), true
		}
		return files
	}
	for _, c := range control.Containers(spec) {
		told := container{environment: control.SettingsOf(c, t.subject.World.ConfigMaps), commands: control.CommandsOf(c), mounted: mounted}
		if t.subject.Profile.Transmission.DatabaseSettings == hipaav1.DatabaseSettingsComplete {
			told.gaps = gapsOf(told.environment, &mounts{spec, c.Container, t.subject.World.ConfigMaps})
		}
		t.container(&told)
	}
}

// container is what one is told.
type container struct {
	environment []control.Setting
	commands    []control.Command
	// mounted are the entries of files from ConfigMaps.
	mounted func() []control.Setting
	// gaps are what keeps it from being told to ask for TLS.
	gaps []*gap
}

func (t *databaseTLS) container(told *container) {
	arguments := control.ArgumentsOf(told.commands)
	all := slices.Concat(told.environment, arguments)
	for _, s := range all {
		switch c, is := connectionIn(expanded(s.Value, told.environment)); {
		case s.Origin == control.FromSecret || s.Origin == control.Unread:
			t.unread(s)
		case !is:
			t.named(s, all, told)
		case c.local:
			t.local = true
		default:
			t.address(s, c, all, told)
		}
	}
	t.libpq(told)
	for _, command := range told.commands {
		t.call(command, told.environment)
	}
}

// address judges an address. What it leaves out may be said beside it.
func (t *databaseTLS) address(s control.Setting, c connection, all []control.Setting, told *container) {
	if c.grade == tlsUnsaid && c.inherits {
		c.grade = libpqGrade(told.environment)
	}
	if c.grade == tlsUnsaid {
		c.grade = besideIt(c.to, all)
	}
	if c.grade == tlsUnsaid {
		t.add(silent(s.Path, quoted(s.Name), c.to))
		return
	}
	t.asked(s.Path, quoted(s.Name), c.to, c.grade)
}

// besideIt is the best that settings with the words of a database say about TLS; what
// turns it off counts only where nothing turns it on.
func besideIt(to *database, all []control.Setting) tlsGrade {
	grade, proof := tlsUnsaid, false
	of := slices.Concat(to.words, to.shared)
	for _, s := range all {
		words := wordsOf(s.Name)
		said, is := tlsSetting(words, s.Value, of)
		switch {
		case !is:
		case said == tlsFull && slices.Contains(words, "verify"):
			proof = true
		default:
			grade = best(grade, said)
		}
	}
	if proof && grade >= tlsOn {
		return tlsFull
	}
	return grade
}

// serverWords are last words of settings that name a server.
var serverWords = []string{"host", "hosts", "hostname", "server", "servers", "addr", "address", "addresses", "endpoint", "endpoints", "broker", "brokers", "node", "nodes"}

// databasesByPort are the ports that nothing else has.
var databasesByPort = []struct {
	port string
	to   *database
}{
	{":5432", postgreSQL}, {":3306", mySQL}, {":27017", mongoDB}, {":6379", redis}, {":6380", redis},
	{":5672", amqp}, {":5671", amqp}, {":9092", kafka}, {":1433", sqlServer},
}

// serverOf says which kind of database a setting names a server of, by its words or
// by the port behind the server; nil is none.
func serverOf(words []string, value string) *database {
	if !slices.Contains(serverWords, last(words)) || slices.Contains(words, "root") || slices.Contains(words, "advertised") {
		return nil
	}
	for _, d := range databases {
		if share(words, d.words) {
			return d
		}
	}
	for _, known := range databasesByPort {
		if _, after, found := strings.Cut(value, known.port); found && (after == "" || !isDigit(after[0])) {
			return known.to
		}
	}
	if share(words, sharedWords) {
		return anyDatabase
	}
	if slices.Equal(words, []string{"master", "host"}) { // MySQL's CHANGE MASTER TO
		return &database{mySQL.name, []string{"master"}, nil, "set MASTER_SSL=1 and MASTER_SSL_VERIFY_SERVER_CERT=1"}
	}
	return nil
}

// named judges a setting that names a server and does not say how to speak to it. In
// a key of a ConfigMap alone (told is nil) nothing is said against it: the container may
// know more.
func (t *databaseTLS) named(s control.Setting, all []control.Setting, told *container) {
	if s.Value == "" || !endsLikeServer(s.Name) {
		return
	}
	to := serverOf(wordsOf(s.Name), s.Value)
	switch {
	case to == nil || gradeOf(s.Value) == tlsOff || gradeOf(s.Value) == tlsOn || strings.Contains(s.Value, "://"):
		return
	case isLoopback(s.Value):
		t.local = true
		return
	}
	grade := besideIt(to, all)
	if grade == tlsUnsaid && told != nil && told.mounted != nil {
		grade = besideIt(withServers(to), told.mounted())
	}
	switch {
	case grade != tlsUnsaid:
		t.asked(s.Path, quoted(s.Name), to, grade)
	case told != nil:
		t.add(told.gapAt(s.Name).widened(
			control.Undecided(s.Path, "%s names a server of %s, and nothing shows that TLS is asked for", quoted(s.Name), to.name).But("%s", to.remedy)))
	}
}

// withServers adds the word under which phpMyAdmin's configuration has its databases.
func withServers(to *database) *database {
	if to != mySQL {
		return to
	}
	return &database{to.name, append(slices.Clone(to.words), "servers"), to.shared, to.remedy}
}

// endsLikeServer is a quick look before a name is taken apart.
func endsLikeServer(name string) bool {
	return len(name) <= 256 && containsFold(name[max(0, len(name)-10):], "host", "server", "addr", "endpoint", "broker", "node")
}

// addressWords are last words of settings that hold an address.
var addressWords = []string{"url", "uri", "dsn", "urls", "uris", "connection", "connectionstring"}

// holdsAddress reports whether a setting of this name holds the address of a database.
func holdsAddress(words []string) bool {
	known := share(words, sharedWords) || slices.Contains(words, "connection") || last(words) == "dsn" ||
		slices.ContainsFunc(databases, func(d *database) bool { return share(words, d.words) })
	text := len(words) > 1 && last(words) == "string" && words[len(words)-2] == "connection"
	return known && (slices.Contains(addressWords, last(words)) || text)
}

// unread judges a setting that cannot be read, by its name.
func (t *databaseTLS) unread(s control.Setting) {
	words := wordsOf(s.Name)
	switch address := holdsAddress(words); {
	case len(words) == 0:
	case s.Origin == control.FromSecret && address:
		t.add(control.Undecided(s.Path, "%s comes from a Secret, which the operator does not read", quoted(s.Name)).OnlyLive().
			But("keep the address and what it says about TLS in the open, and only the password in the Secret"))
	case s.Origin == control.Unread && (address || serverOf(words, "") != nil || words[0] == "pghost"):
		t.add(control.Undecided(s.Path, "%s comes from a ConfigMap that is not there or lacks the key", quoted(s.Name)).
			But("apply the ConfigMap first"))
	}
}

// libpq judges PG variables, which libpq and the drivers that follow it read.
func (t *databaseTLS) libpq(told *container) {
	for _, s := range told.environment {
		if s.Name != "PGHOST" && s.Name != "PGHOSTADDR" || s.Value == "" {
			continue
		}
		switch grade := libpqGrade(told.environment); {
		case isLoopback(expanded(s.Value, told.environment)):
			t.local = true
		case grade == tlsUnsaid:
			t.add(told.gapAt(s.Name).widened(silent(s.Path, quoted(s.Name), postgreSQL)))
		default:
			t.asked(s.Path, quoted("PGSSLMODE"), postgreSQL, grade)
		}
	}
}

func libpqGrade(environment []control.Setting) tlsGrade {
	given := settings{}
	for _, s := range environment {
		switch s.Name {
		case "PGSSLMODE", "PGSSLROOTCERT":
			given[strings.ToLower(s.Name[2:])] = expanded(s.Value, environment)
			if s.Origin != control.Literal && s.Origin != control.FromConfigMap {
				given[strings.ToLower(s.Name[2:])] = "$"
			}
		}
	}
	return given.postgres(false)
}

// expanded fills in $(NAME), ${NAME} and ${NAME:default}, once.
func expanded(value string, environment []control.Setting) string {
	if !strings.Contains(value, "$") {
		return value
	}
	for _, s := range environment {
		if s.Value == "" || s.Name == "" || strings.Contains(s.Value, "$") {
			continue
		}
		value = strings.ReplaceAll(value, "$("+s.Name+")", s.Value)
		value = strings.ReplaceAll(value, "${"+s.Name+"}", s.Value)
	}
	return value
}

// mountedEntries are what files of the ConfigMaps say that a pod mounts.
func mountedEntries(spec *corev1.PodSpec, known map[string]*corev1.ConfigMap) []control.Setting {
	var entries []control.Setting
	for _, m := range mountedConfigMaps(spec, known) {
		entries = append(entries, control.EntriesOf(m)...)
	}
	return entries
}

// inFile tells an entry of a file from a key of one line.
func inFile(e control.Setting) bool { return strings.Contains(e.Path, " line ") }

func quoted(name string) string {
	if name == "" {
		return "an address"
	}
	return strconv.Quote(name)
}
