package main

import "fmt"

// intro takes the machine and the command.
const intro = `# Performance

Written by ` + "`make bench`" + `; do not edit. Every limit, its rival and its verdict are measured
in one run on one machine.

%s* command: ` + "`%s`" + `

`

// method takes the rounds, the share and count of disturbed ones, and the inputs.
const method = `## How it is measured

* Medians of %d rounds. Ours and the rival run alternately, and a ratio is the median of the rounds' ratios, so that a
  slow minute of the machine counts on both sides.
* Each measurement of ours is a process of its own. Peak memory is its VmHWM, set-up included; the rival's is the
  kernel's maximum resident set of its process. For memory the largest of all rounds counts.
* A measurement waits for a quiet machine, and is taken again when other programs took more than %.0f %% of it meanwhile.
  Measurements taken again: %d. Most that others took during one that counts: %.0f %%.
* (a), (b), (c): one source node of class ` + "`file`" + ` with the line format, on the engine and the embedded store in a scratch
  directory; every write is durable (synced) before the poll counts as done. The clock runs from the start of the poll
  to its committed verdict. (a) swaps the file for the same lines in another order and polls in a process that has just
  opened the store: whatever an earlier poll could remember is gone, so the body is parsed, sorted and merged with the
  table. The line below it is the next poll of a running process, which knows the sum of all items' hashes and need not
  sort; the one after has one line more than the table.
* The rival of (a) writes to nowhere, as a poll that finds nothing new writes nothing; the rival of (b) writes its output
  to a file in the same directory (not synced). Both: ` + "`LC_ALL=C sort -u --parallel=2`" + `, default memory, warm page cache.
* (d) compares user time of whole processes, output to a file, and insists on identical output. The segments of the
  toggle all lie in 10.0.0.0/8, which is inserted over them and removed again; loading counts.
* (e) the destination reads the engine's table on disk; class ` + "`defender`" + ` maps; the tenant is a sandbox that was brought
  into step before. Conditions, confidence, all built-in warninglists and a generated list of popular names are asked for each record.
* (f) a feed node's table on disk, read with a plain HTTP client over loopback without compression. Each first body is
  made by a feed without a cache.
* (g) an empty tenant of the sandbox is listed and filled on a simulated clock on which every call takes 100 ms and
  nothing else takes time: it moves only when every goroutine waits. The rival is a perfect sender: it lists, one page after
  the other, then makes calls of the largest published batch the moment the published sliding window lets them, as many
  beside each other as that is, and waits for the last answer. It is computed from those numbers alone. One answer of 429
  misses the limit. Ours counts a call from its answer, and its windows are 260 ms longer than the published minute.
* (h) user time of garbage collection included.
* (i) the job of ThreatConnect's guide 3.0.0 with its own example (a reserve of 3,000), filtered by owners and types, as
  ` + "`remeld job run`" + ` with an empty state directory; ThreatConnect and Defender are the sandbox in another process on the
  same machine, without latency. Its memory and CPU time are not ours, its share of the wall time is. Pages of
  1,000 indicators with all nested fields. The client that throws pages away asks for the same ones over the same TLS, so
  what it needs is the least any reader would. CPU an indicator compares the source class (signing, TLS, decoding,
  canonical keys, attributes, items dropped) with a client that does nothing but decode the same pages with encoding/json
  into the same structs. Both read all pages, one after the other, in one process.

## Input

%s
`

func (r *report) inputs() string {
	z := r.s.size
	return fmt.Sprintf(`Generated from a fixed seed.

* list: %d lines, one value each: 70 %% domains (10 to 40 characters), 20 %% IPv4 addresses, 10 %% SHA-256; a second body
  has the same lines shuffled. Expiry index: age first_seen 30 days.
* ranges: %d lines of IPv4: 70 %% addresses, 20 %% CIDRs with host bits, 10 %% ranges; %d segments of 1 to 8 addresses.
* records: %d of the same mix with confidence 0–100, severity 0–5, a tag and a threat type; keep: %q and %q; confidence
  at least 70; warninglist of %d popular names.
* feed: %d lines of the list's mix.
* ThreatConnect: %d indicators of twelve types in three owners, as docs/sandbox.md describes them.
`, z.lines, z.ranges, z.segments, z.records, keeps["sure"], keeps["no_test"], z.listed, z.edl, z.bulk)
}
