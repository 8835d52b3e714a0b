package catalog

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

var databaseTLSBreaks = control.Breaks{
	"an address of PostgreSQL that says nothing about TLS":   telling("DATABASE_URL", "postgresql://patient-db.ehr.svc/records"),
	"an address of PostgreSQL that falls back":               telling("DATABASE_DSN", "host=patient-db.ehr.svc dbname=records sslmode=prefer"),
	"a JDBC address of MySQL that falls back":                telling("SPRING_DATASOURCE_URL", "jdbc:mysql://patient-db.ehr.svc/records?useSSL=true"),
	"a JDBC address of SQL Server that turns TLS off":        telling("SPRING_DATASOURCE_URL", "jdbc:sqlserver://patient-db.ehr.svc;encrypt=false"),
	"an address of MongoDB that says nothing about TLS":      telling("MONGODB_URI", "mongodb://patient-db.ehr.svc/records"),
	"an address of Redis that is plaintext":                  telling("REDIS_URL", "redis://cache.ehr.svc:6379"),
	"an address of AMQP that is plaintext":                   telling("BROKER_URL", "amqp://queue.ehr.svc/vhost"),
	"a listener of Kafka that is plaintext":                  telling("KAFKA_BOOTSTRAP_SERVERS", "SASL_PLAINTEXT://queue.ehr.svc:9092"),
	"a server of PostgreSQL, and no word about TLS":          telling("PGHOST", "patient-db.ehr.svc"),
	"a server of PostgreSQL whose authority nothing mounts":  telling("PGHOST", "patient-db.ehr.svc", "PGSSLROOTCERT", "/run/db/ca.crt"),
	"a server of Redis, and no word about TLS":               telling("REDIS_HOST", "cache.ehr.svc"),
	"a call of redis-cli without TLS":                        running("redis-cli", "-h", "cache.ehr.svc", "ping"),
	"an address in a file of a ConfigMap that turns TLS off": holding("application.yaml", "spring:\n  datasource:\n    url: jdbc:postgresql://patient-db.ehr.svc/records?sslmode=disable\n"),
}

// telling sets variables of the first container, by name and value.
func telling(namesAndValues ...string) control.Break {
	return control.Break{Kind: control.Pods, Apply: func(s *control.Subject) {
		first := &s.Pod.Spec.Containers[0]
		for i := 0; i+1 < len(namesAndValues); i += 2 {
			first.Env = append(first.Env, corev1.EnvVar{Name: namesAndValues[i], Value: namesAndValues[i+1]})
		}
	}}
}

// running gives the first container a command.
func running(command ...string) control.Break {
	return control.Break{Kind: control.Pods, Apply: func(s *control.Subject) {
		s.Pod.Spec.Containers[0].Command = command
	}}
}

// holding puts a key into the ConfigMap under judgement.
func holding(key, value string) control.Break {
	return control.Break{Kind: control.ConfigMaps, Apply: func(s *control.Subject) {
		s.ConfigMap.Data[key] = value
	}}
}
