package main

import (
	"fmt"
	"strings"

	"github.com/hipaa-operator/hipaa-operator/internal/storage"
)

// driverPage lists what each CSI driver's parameters say about encryption.
func driverPage(string) ([]page, error) {
	var text strings.Builder
	text.WriteString("# Storage drivers\n\n" + notice)
	text.WriteString("What `volume-encryption` reads of a StorageClass or PersistentVolume. A driver that is not in the list, and a value that it does not know, is Unknown.\n")
	for _, driver := range storage.Drivers() {
		fmt.Fprintf(&text, "\n## %s\n\n", driver.Name)
		parameters := driver.Parameters()
		if len(parameters) == 0 {
			text.WriteString("No parameter tells whether its volumes are encrypted.\n")
		} else {
			text.WriteString("| parameter | meaning |\n|---|---|\n")
		}
		for _, p := range parameters {
			fmt.Fprintf(&text, "| `%s` | %s |\n", p.Name, strings.ReplaceAll(p.Meaning, "|", "\\|"))
		}
		fmt.Fprintf(&text, "\nRemedy: %s.\nSource (%s): %s\n", strings.TrimSuffix(driver.Remedy, "."), driver.Basis, driver.Reference)
	}
	return []page{{"reference/storage-drivers.md", text.String()}}, nil
}
