package engine

import (
	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// addCloudServices adds what a profile says of services. What one withholds no statement
// of another gives back; controls see to that.
func (m *merge) addCloudServices(p *hipaav1.ComplianceProfile) {
	from := p.Spec.CloudServices
	if from == nil {
		return
	}
	into := &m.effective.Parameters.CloudServices
	for _, s := range from.Covered {
		service := hipaav1.CloudService{Cloud: s.Cloud, Service: s.Service}
		if _, taken := into.Covered[service]; taken || !m.stands(s.Statement) {
			continue
		}
		if into.Covered == nil {
			into.Covered = map[hipaav1.CloudService]hipaav1.Statement{}
		}
		into.Covered[service] = s.Statement
	}
	for _, s := range from.Withheld {
		if into.Withheld == nil {
			into.Withheld = map[hipaav1.CloudService]bool{}
		}
		into.Withheld[s] = true
	}
	if s := from.ListCompared; s != nil && m.stands(s.Statement) {
		m.endsAt(s.ComparedOn.Time) // until then it does not count
		later := into.ListCompared == nil || into.ListCompared.ComparedOn.Before(&s.ComparedOn)
		if later && !s.ComparedOn.After(m.now) {
			into.ListCompared = s
		}
	}
}
