package catalog

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

func cloudResource(version, kind string, spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": version, "kind": kind, "metadata": map[string]any{"namespace": "ehr", "name": "records"}, "spec": spec,
	}}
}

func appRunner() *unstructured.Unstructured {
	return cloudResource("apprunner.aws.m.upbound.io/v1beta1", "Service", map[string]any{"forProvider": map[string]any{"region": "us-east-1"}})
}

func rdsOf(engine string) map[string]any {
	return map[string]any{
		"dbInstanceIdentifier": "records", "dbInstanceClass": "db.m7g.large", "engine": engine, "storageEncrypted": true,
		"kmsKeyID": "arn:aws:kms:us-east-1:111122223333:key/7f3a",
	}
}

func directoryOf(kind string) *unstructured.Unstructured {
	r := cloudResource("ds.aws.upbound.io/v1beta2", "Directory", map[string]any{"forProvider": map[string]any{"region": "us-east-1", "type": kind}})
	r.SetNamespace("")
	r.SetLabels(map[string]string{control.LabelClaimNamespace: "ehr"})
	return r
}

// coverOtherClouds states of the services of Google and Azure, of which rules of the
// catalogue have good resources, that the agreement covers them.
func coverOtherClouds(s *control.Subject) {
	covered := map[hipaav1.CloudService]hipaav1.Statement{}
	for cloud, services := range map[hipaav1.Cloud]string{
		hipaav1.CloudGoogle: "bigquery cloudplatform compute iam kms pubsub redis secretmanager spanner sql storage",
		hipaav1.CloudAzure:  "compute cosmosdb dbformysql dbforpostgresql documentdb insights keyvault sql storage",
	} {
		for service := range strings.FieldsSeq(services) {
			covered[hipaav1.CloudService{Cloud: cloud, Service: service}] = hipaav1.Statement{StatedBy: "Dana Reyes", Reason: "our agreement lists it"}
		}
	}
	s.Profile.CloudServices.Covered = covered
}

func uncoveredBucket() control.Break {
	bucket := cloudResource("storage.cnrm.cloud.google.com/v1beta1", "StorageBucket", map[string]any{
		"location": "us-east1", "encryption": map[string]any{"kmsKeyRef": map[string]any{"external": "projects/p/locations/us-east1/keyRings/r/cryptoKeys/k"}},
	})
	return control.Break{Kind: control.Workloads, Reported: true, Apply: func(s *control.Subject) {
		delete(s.Profile.CloudServices.Covered, hipaav1.CloudService{Cloud: hipaav1.CloudGoogle, Service: "storage"})
		declareResource(s, bucket.DeepCopy())
	}}
}

func servesUnread() control.Break {
	return control.Break{Kind: control.Workloads, Reported: true, Apply: func(s *control.Subject) {
		s.World.Served = append(s.World.Served, control.ServedType{ResourceType: control.ResourceType{
			Group: "newcomer.services.k8s.aws", Version: "v1alpha1", Kind: "Gadget", Resource: "gadgets",
		}})
	}}
}
