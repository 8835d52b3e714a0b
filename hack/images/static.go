package main

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
)

// machines are the platforms that images are made for, in ELF's words.
var machines = map[string]elf.Machine{
	"linux/amd64": elf.EM_X86_64,
	"linux/arm64": elf.EM_AARCH64,
}

// checkStatic refuses a binary that could not start in an image that holds
// nothing else: another platform's, or one that asks for a dynamic linker.
func checkStatic(b program) error {
	machine, ok := machines[b.platform.String()]
	if !ok {
		return errors.New("checking the platform: want linux/amd64 or linux/arm64")
	}
	f, err := elf.NewFile(bytes.NewReader(b.data))
	if err != nil {
		return fmt.Errorf("checking the binary: %w", err)
	}
	if f.Machine != machine {
		return fmt.Errorf("checking the binary: it is for %s", f.Machine)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("checking the binary: it is linked dynamically; build it with CGO_ENABLED=0")
		}
	}
	return nil
}
