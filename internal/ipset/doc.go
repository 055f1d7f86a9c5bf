// Package ipset is the algebra of IPv4 and IPv6 address space.
//
// Use a Set for whole lists: read a text with ReadText, combine sets with Union,
// Common, Except and Diff, and print minimal CIDRs or ranges. A Set is a sorted
// list of edges per family; every operation is one merge, O(n+m).
//
// Use Claims for a node that keeps ranges of several contributors and must know
// after each change which elementary pieces of the space vanished, appeared or
// changed their contributors (SEMANTICS E13). Claims stores the claims alone, not
// the pieces: a change is a sweep over the claims that touch it, which can stop
// at any piece and be resumed at an address.
package ipset
