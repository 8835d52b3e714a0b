package node_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/egress"
)

// gatePods are those of phi-egress that take calls.
func gatePods() []corev1.Pod {
	GinkgoHelper()
	var pods []corev1.Pod
	for _, pod := range operatorPods("egress") {
		if isReady(&pod) {
			pods = append(pods, pod)
		}
	}
	return pods
}

// leaves is how many calls phi-egress has had, by their outcome.
func leaves(outcome egress.Outcome) (sum float64) {
	GinkgoHelper()
	for _, pod := range gatePods() {
		sum += metric(&pod, `phi_proxy_egress_calls_total{outcome="`+string(outcome)+`"}`)
	}
	return sum
}

// end kills what runs of phi-egress in a pod, which its kubelet starts anew there.
func end(pod *corev1.Pod) {
	GinkgoHelper()
	killed := 0
	processes, err := filepath.Glob("/proc/[0-9]*")
	Expect(err).NotTo(HaveOccurred())
	for _, process := range processes {
		group, _ := os.ReadFile(filepath.Join(process, "cgroup")) // of one that has ended there is none
		command, _ := os.ReadFile(filepath.Join(process, "cmdline"))
		if !bytes.Contains(group, []byte(pod.UID)) || !bytes.Contains(command, []byte("--workload-uid=")) {
			continue
		}
		id, err := strconv.Atoi(filepath.Base(process))
		Expect(err).NotTo(HaveOccurred())
		Expect(syscall.Kill(id, syscall.SIGKILL)).To(Succeed())
		killed++
	}
	Expect(killed).To(Equal(1), "%s", pod.Name)
}

// gateFollows waits until the pods of phi-egress go by what stands.
func gateFollows() {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		for _, pod := range gatePods() {
			g.Expect(metric(&pod, "phi_proxy_configuration_generation")).To(Equal(gateGeneration()), pod.Name)
		}
	}).WithTimeout(promised).Should(Succeed())
}

// gateKnows reports whether an end stands in what phi-egress is to go by.
func gateKnows(end time.Time) (bool, error) {
	var m corev1.ConfigMap
	err := admin.Get(ctx, key(system, control.EgressName), &m)
	return strings.Contains(m.Data["config.json"], end.UTC().Format(time.RFC3339)), err
}

// gateGeneration is that of what phi-egress is to go by.
func gateGeneration() float64 {
	GinkgoHelper()
	var m corev1.ConfigMap
	Expect(admin.Get(ctx, key(system, control.EgressName), &m)).To(Succeed())
	var c struct {
		Workload struct {
			Generation float64 `json:"generation"`
		} `json:"workload"`
	}
	Expect(json.Unmarshal([]byte(m.Data["config.json"]), &c)).To(Succeed())
	return c.Workload.Generation
}
