package control_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// said is name=value of each setting.
func said(settings []control.Setting) []string {
	var list []string
	for _, s := range settings {
		list = append(list, s.Name+"="+s.Value)
	}
	return list
}

func TestEntriesOfAConfigMap(t *testing.T) {
	for name, tt := range map[string]struct {
		give string
		want []string
	}{
		"one line":                 {give: " jdbc:postgresql://db/x?a=b ", want: []string{"file=jdbc:postgresql://db/x?a=b"}},
		"properties":               {give: "# no\n! no\nspring.datasource.url = jdbc:mysql://db/x?useSSL=true\nempty=\n", want: []string{"spring.datasource.url=jdbc:mysql://db/x?useSSL=true"}},
		"YAML":                     {give: "spring:\n  datasource:\n    url: \"postgres://db\" # why\n  mail:\n    port: 25\nlog: info\n", want: []string{"spring.datasource.url=postgres://db", "spring.mail.port=25", "log=info"}},
		"YAML lists":               {give: "a:\n- name: x\n  value: y\n", want: []string{"a.name=x", "a.value=y"}},
		"a YAML list of addresses": {give: "urls:\n- redis://a\n- redis://b\n", want: []string{"urls=redis://a", "urls=redis://b"}},
		"JSON":                     {give: "{\n  \"redis\" : {\n    \"pass\" : \"p\",\n    \"port\":6379\n  },\n  \"b\": true\n}", want: []string{"redis.pass=p", "redis.port=6379", "b=true"}},
		"JSON in one line":         {give: `{"a":"1,2","b":{"c":"{d}"},"e":false}`, want: []string{"a=1,2", "b.c={d}", "e=false"}},
		"XML":                      {give: "<c>\n <property name=\"url\" value=\"u\"/>\n <property name=\"p\">v</property>\n <password>x</password>\n</c>\n", want: []string{"url=u", "p=v", "password=x"}},
		"INI":                      {give: "[mariadb]\nssl_ca=/ca # why\nskip-networking\n[client]\nport = 3306\n", want: []string{"mariadb.ssl_ca=/ca", "client.port=3306"}},
		"PHP":                      {give: "<?php\n$cfg['Servers'][$i]['ssl'] = true;\n$config[\"db\"] = 'x';\n'key' => 'v',\n", want: []string{"cfg.Servers.i.ssl=true", "config.db=x", "key=v"}},
		"a line of words":          {give: "# no\nmasterauth secret\nuser a on >b ~*\n", want: []string{"masterauth=secret", "user=a on >b ~*"}},
		"a shell script":           {give: "#!/bin/sh\nexport A=b\nexec app\n", want: []string{"A=b", "exec=app"}},
		"SQL":                      {give: "-- no\nCREATE USER 'r'@'%' IDENTIFIED BY 's';\nMASTER_SSL=1,\n", want: []string{"CREATE=USER 'r'@'%' IDENTIFIED BY 's'", "MASTER_SSL=1"}},
		"what sets nothing":        {give: "}\n---\n\n(\n", want: nil},
		"brackets in quotes":       {give: "a = \"x; y\";\nb: 'c, d',\n", want: []string{"a=x; y", "b=c, d"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "m"}, Data: map[string]string{"file": tt.give}}
			if diff := cmp.Diff(tt.want, said(control.EntriesOf(m))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAFileOfOneLineIsAFile(t *testing.T) {
	m := &corev1.ConfigMap{Data: map[string]string{
		"application.properties": "spring.datasource.password=x", "db.env": "PGHOST=db\n", "database.url": "jdbc:mysql://db/x?a=b", "app.json": `{"a":"b"}`,
	}}
	want := []string{"a=b", "spring.datasource.password=x", "database.url=jdbc:mysql://db/x?a=b", "PGHOST=db"}
	if diff := cmp.Diff(want, said(control.EntriesOf(m))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTextInBinaryDataIsReadAndTheRestIsNot(t *testing.T) {
	m := &corev1.ConfigMap{
		Data:       map[string]string{"b": "v"},
		BinaryData: map[string][]byte{"a.properties": []byte("x=1\ny=2\n"), "keystore.jks": {0xfe, 0xed, 0xfe, 0xed}, "zeros": {0, '=', '1'}},
	}
	want := []control.Setting{
		{Name: "b", Value: "v", Path: "data.b", Origin: control.FromConfigMap},
		{Name: "x", Value: "1", Path: "binaryData.a.properties line 1", Origin: control.FromConfigMap},
		{Name: "y", Value: "2", Path: "binaryData.a.properties line 2", Origin: control.FromConfigMap},
	}
	if diff := cmp.Diff(want, control.EntriesOf(m)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEntriesSayWhereTheyStand(t *testing.T) {
	m := &corev1.ConfigMap{Data: map[string]string{"b.yaml": "x: 1\n\ny:\n  z: 2\n", "a": "v", "c.json": `{"d":"e"}`}}
	want := []control.Setting{
		{Name: "a", Value: "v", Path: "data.a", Origin: control.FromConfigMap},
		{Name: "x", Value: "1", Path: "data.b.yaml line 1", Origin: control.FromConfigMap},
		{Name: "y.z", Value: "2", Path: "data.b.yaml line 4", Origin: control.FromConfigMap},
		{Name: "d", Value: "e", Path: "data.c.json", Origin: control.FromConfigMap},
	}
	if diff := cmp.Diff(want, control.EntriesOf(m)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCommandsOfAContainer(t *testing.T) {
	for name, tt := range map[string]struct {
		command, args []string
		want          []control.Command
	}{
		"nothing": {},
		"words": {
			command: []string{"redis-server"}, args: []string{"--port", "6379"},
			want: []control.Command{
				{Path: "spec.containers[0].command[0]", Words: []string{"redis-server"}},
				{Path: "spec.containers[0].args[0]", Words: []string{"--port", "6379"}},
			},
		},
		"a script": {
			command: []string{"sh", "-c", "a=1 b 'c d' # no\nif [ \"$(e -h \"f g\" | h)\" != \"i\" ]; then j; fi"},
			want: []control.Command{
				{Path: "spec.containers[0].command[2] line 1", Words: []string{"a=1", "b", "c d"}},
				{Path: "spec.containers[0].command[2] line 2", Words: []string{"if", "[", "$"}},
				{Path: "spec.containers[0].command[2] line 2", Words: []string{"e", "-h", "f g"}},
				{Path: "spec.containers[0].command[2] line 2", Words: []string{"h"}},
				{Path: "spec.containers[0].command[2] line 2", Words: []string{"!=", "i", "]"}},
				{Path: "spec.containers[0].command[2] line 2", Words: []string{"then", "j"}},
				{Path: "spec.containers[0].command[2] line 2", Words: []string{"fi"}},
				{Path: "spec.containers[0].command[0]", Words: []string{"sh", "-c"}},
			},
		},
		"quotes that do not end": {
			args: []string{"a 'b ; c"}, want: []control.Command{{Path: "spec.containers[0].args[0]", Words: []string{"a", "b ; c"}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := control.Containers(&corev1.PodSpec{Containers: []corev1.Container{{Command: tt.command, Args: tt.args}}})[0]
			if diff := cmp.Diff(tt.want, control.CommandsOf(c)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestArgumentsOfCommands(t *testing.T) {
	words := []string{"java", "-Dspring.x=y", "--db-url", "u", "--flag", "-p", "1", "A=b=c", "redis://h", "--tls", "--", "$(X)=y", "-", "last"}
	want := []string{"spring.x=y", "db-url=u", "p=1", "A=b=c", "=redis://h"}
	if diff := cmp.Diff(want, said(control.ArgumentsOf([]control.Command{{Words: words}}))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzSettings(f *testing.F) {
	f.Add("a: b\n  c: \"d\n[x]\n{\"a\":1}", "sh -c 'x $(y \"z\")'")
	f.Fuzz(func(_ *testing.T, text, script string) {
		control.EntriesOf(&corev1.ConfigMap{Data: map[string]string{"f": text}})
		c := control.Container{Container: &corev1.Container{Command: []string{script}, Args: []string{text, script}}}
		control.ArgumentsOf(control.CommandsOf(c))
	})
}
