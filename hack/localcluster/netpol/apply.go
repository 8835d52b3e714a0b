package netpol

import (
	"context"
	"fmt"

	"sigs.k8s.io/knftables"
)

// Table is the name of all that this package writes.
const Table = "localcluster-policies"

// Enforce replaces all rules by those of the state, in one step: no packet sees half of them.
//
// They stand where packets are forwarded: what the node itself sends to its pods, as probes do,
// and what pods send to it, is always allowed, as the API says. A connection that was let in stays.
func Enforce(ctx context.Context, nft knftables.Interface, s State) error {
	tx := nft.NewTransaction()
	removeTable(tx)
	tx.Add(&knftables.Table{})
	const base = "forward"
	tx.Add(&knftables.Chain{
		Name: base, Type: knftables.PtrTo(knftables.FilterType), Hook: knftables.PtrTo(knftables.ForwardHook), Priority: knftables.PtrTo(knftables.FilterPriority),
	})
	tx.Add(&knftables.Rule{Chain: base, Rule: "ct state established,related accept"})
	for _, c := range s.Chains() {
		tx.Add(&knftables.Chain{Name: c.Name()})
		for _, rule := range c.Rules {
			tx.Add(&knftables.Rule{Chain: c.Name(), Rule: rule})
		}
		side := "ip daddr"
		if c.Direction == Egress {
			side = "ip saddr"
		}
		tx.Add(&knftables.Rule{Chain: base, Rule: knftables.Concat(side, c.Address, "jump", c.Name())})
	}
	if err := nft.Run(ctx, tx); err != nil {
		return fmt.Errorf("writing the rules of network policies: %w", err)
	}
	return nil
}

// Release removes all rules: every packet passes.
func Release(ctx context.Context, nft knftables.Interface) error {
	tx := nft.NewTransaction()
	removeTable(tx)
	if err := nft.Run(ctx, tx); err != nil {
		return fmt.Errorf("removing the rules of network policies: %w", err)
	}
	return nil
}

// removeTable works whether or not the table is there.
func removeTable(tx *knftables.Transaction) {
	tx.Add(&knftables.Table{})
	tx.Delete(&knftables.Table{})
}
