// Package controltest holds every control to the same laws. Its promise: a new
// file of the catalogue is tested the moment it exists.
//
//  1. The descriptor is complete, cites known paragraphs, names fields that exist,
//     and its example is a manifest that violates nothing.
//  2. What people write at the least, satisfied where people must act and then
//     protected by every control, has no violation, of whatever kind it is. Of
//     connections only the live half holds: one that violates nothing does not
//     exist, an exception is its grant.
//  3. Each break is found, refused at admission with the control's ID (unless it
//     can only be reported) and told live, where it leaves something to look at.
//  4. Mutate and Default are idempotent and add no violation of another control.
//  5. Check, Mutate, Default and Owns are total and change nothing
//     but what Mutate and Default are handed, whatever the subject holds.
//  6. Without its evidence there is no verdict: Unknown, and refused in Enforce.
//  7. The denials and the reference page are the golden ones.
package controltest
