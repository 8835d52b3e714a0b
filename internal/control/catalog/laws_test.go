package catalog_test

import (
	"testing"

	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/control/controltest"
)

func TestEveryControlIsLawful(t *testing.T) {
	controltest.Laws(t, catalog.All(), controltest.Goldens{
		Denials: "testdata/denials",
		Docs:    "../../../docs/controls",
	})
}

func FuzzCheck(f *testing.F) { controltest.FuzzCheck(f, catalog.All()) }
