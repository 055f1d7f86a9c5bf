package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// seed makes every run measure the same input.
const seed = 20_260_101

// syllables make host names of the lengths that block lists have.
var syllables = []string{
	"ab", "ac", "account", "ad", "al", "an", "api", "ar", "bank", "bet", "bo", "ca", "cdn", "cloud", "co", "com", "da", "de", "do", "el",
	"en", "er", "fi", "free", "ga", "go", "hi", "in", "ka", "ki", "la", "li", "lo", "log", "login", "ma", "mail", "me", "mi", "mo",
	"na", "ne", "net", "no", "on", "or", "pay", "pro", "ra", "re", "ri", "ro", "sa", "se", "secure", "shop", "si", "so", "ta", "te",
	"ti", "to", "track", "ur", "us", "va", "verify", "vi", "web", "xi", "za",
}

var (
	suffixes   = []string{"com", "com", "com", "com", "net", "org", "ru", "xyz", "top", "info", "cn", "de", "co.uk", "com.br", "online", "site"}
	subdomains = []string{"", "", "", "www.", "cdn.", "mail.", "login.", "a.", "img2.", "static-3.", "update.app."}
)

// appendDomain appends a host name: 70 % of the lines of a list, of 10 to 40
// characters. Words alone would repeat, so most names carry digits or a tail of
// random letters, as generated names do.
func appendDomain(dst []byte, r *rand.Rand) []byte {
	dst = append(dst, subdomains[r.IntN(len(subdomains))]...)
	for range 2 + r.IntN(3) {
		dst = append(dst, syllables[r.IntN(len(syllables))]...)
	}
	switch r.IntN(3) {
	case 0:
		dst = fmt.Appendf(dst, "%d", r.IntN(1_000_000))
	case 1:
		dst = append(dst, '-')
		dst = append(dst, syllables[r.IntN(len(syllables))]...)
		fallthrough
	default:
		for range 4 + r.IntN(5) {
			dst = append(dst, "abcdefghijklmnopqrstuvwxyz"[r.IntN(26)])
		}
	}
	return append(append(dst, '.'), suffixes[r.IntN(len(suffixes))]...)
}

// appendValue appends a value of the mix: 70 % domains, 20 % IPv4, 10 % SHA-256.
func appendValue(dst []byte, r *rand.Rand) []byte {
	switch n := r.IntN(10); {
	case n < 7:
		return appendDomain(dst, r)
	case n < 9:
		return appendIPv4(dst, 1+r.Uint32N(223)<<24|r.Uint32N(1<<24))
	}
	return fmt.Appendf(dst, "%016x%016x%016x%016x", r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64())
}

func appendIPv4(dst []byte, a uint32) []byte {
	return fmt.Appendf(dst, "%d.%d.%d.%d", a>>24, a>>16&255, a>>8&255, a&255)
}

// listPaths are the files that childLists writes.
func listPaths(dir string) (one, other string) {
	return filepath.Join(dir, "list-1.txt"), filepath.Join(dir, "list-2.txt")
}

// childLists writes a list of j.Size lines, and the same lines in another order.
func childLists(_ context.Context, j job, _ *watch) error {
	n := j.Size
	r := rand.New(rand.NewPCG(seed, 1))
	text := make([]byte, 0, n*28)
	ends := make([]int, 0, n)
	for range n {
		text = append(appendValue(text, r), '\n')
		ends = append(ends, len(text))
	}
	line := func(i int) []byte {
		if i == 0 {
			return text[:ends[0]]
		}
		return text[ends[i-1]:ends[i]]
	}
	one, other := listPaths(j.Dir)
	if err := os.WriteFile(one, text, 0o600); err != nil {
		return err
	}
	return write(other, func(w *bufio.Writer) {
		for _, i := range r.Perm(n) {
			_, _ = w.Write(line(i)) // Flush tells
		}
	})
}

// mixedIPv4 writes n lines: 70 % addresses, 20 % CIDRs with host bits, 10 % ranges.
func mixedIPv4(path string, n int) error {
	r := rand.New(rand.NewPCG(seed, 2))
	return write(path, func(w *bufio.Writer) {
		var b []byte
		for range n {
			a := r.Uint32()
			b = appendIPv4(b[:0], a)
			switch p := r.IntN(10); {
			case p < 7:
			case p < 9:
				b = fmt.Appendf(b, "/%d", 20+r.IntN(13))
			default:
				b = appendIPv4(append(b, '-'), a+min(r.Uint32N(1<<12), ^a))
			}
			_, _ = w.Write(append(b, '\n')) // Flush tells
		}
	})
}

// write makes a file through a buffer.
func write(path string, fill func(w *bufio.Writer)) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	fill(w)
	return errors.Join(w.Flush(), f.Close())
}
