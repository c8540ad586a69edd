package outlets

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plateau/internal/sensorthings"
)

// rulesDigest is that of all rules together: it changes with any rule.
var rulesDigest = regexp.MustCompile(`"rules":"[0-9a-f]+"`)

var update = flag.Bool("update", false, "rewrite testdata")

// Everything of a small region, as JSON: entities with their properties and
// relations, and an observation of each kind.
func TestEntities(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.fill(t, day0, 40)
	k.send(t, 1, 2011, day0.Add(40*time.Hour), "a21002-Rtd=0.250,a21002-Flag=N", "a01014-Rtd=x1,a01014-Flag=D")
	k.fresh()
	r := k.Reader(nil)
	var b bytes.Buffer
	for _, s := range sensorthings.Sets() {
		err := r.Entities(t.Context(), s, 0, func(e *sensorthings.Entity) bool {
			fmt.Fprintf(&b, "%s(%d)\n", s, e.ID)
			for i, p := range s.Properties() {
				if e.Properties[i] != nil {
					fmt.Fprintf(&b, "  %s: %s\n", p.Name, e.Properties[i])
					if !json.Valid(e.Properties[i]) {
						t.Errorf("%s(%d) %s is no JSON: %s", s, e.ID, p.Name, e.Properties[i])
					}
				}
			}
			for _, rel := range s.Relations() {
				if !rel.Many {
					fmt.Fprintf(&b, "  %s → %d\n", rel.Name, e.To(rel.Name))
					continue
				}
				var ids []sensorthings.ID
				if err := r.Related(t.Context(), s, e.ID, rel.Name, func(id sensorthings.ID) bool { ids = append(ids, id); return true }); err != nil {
					t.Fatal(err)
				}
				if ids != nil {
					fmt.Fprintf(&b, "  %s → %v\n", rel.Name, ids)
				}
			}
			if s == sensorthings.Datastreams {
				sum, err := r.Summary(t.Context(), e.ID)
				fmt.Fprintf(&b, "  %+v %v\n", sum, err)
				n := 0
				for _, o := range read(t, r, sensorthings.Scan{Datastream: e.ID, From: 0, To: 1 << 60, Order: sensorthings.ByTimeDesc}) {
					if n++; n > 2 {
						break
					}
					fmt.Fprintf(&b, "  %s/%s %v %s %s %s\n", at(o.Phenomenon.Start), at(o.Phenomenon.End), o.HasResultTime, o.Result, o.Quality, o.Parameters)
					for _, j := range []json.RawMessage{o.Result, o.Quality, o.Parameters} {
						if j != nil && !json.Valid(j) {
							t.Errorf("no JSON: %s", j)
						}
					}
				}
			}
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if bytes.Contains(b.Bytes(), []byte("hunter2")) {
		t.Error("a password is shown")
	}
	golden(t, "entities.txt", rulesDigest.ReplaceAll(b.Bytes(), []byte(`"rules":"<digest>"`)))
}

func at(us int64) string { return time.UnixMicro(us).UTC().Format(time.RFC3339) }

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}
