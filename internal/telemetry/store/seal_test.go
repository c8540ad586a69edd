package store

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/archive"
)

// sealGroups fills a store with groups of minute records, corrections and late
// copies, a minute of receipt each.
func sealGroups(t *testing.T, s *Store, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		at := t0.Add(time.Duration(n) * time.Minute)
		a := frameOf(t, 1, 2051, at, "a-Avg="+strconv.Itoa(n))
		b := frameOf(t, 2, 2051, at.Add(-time.Duration(n%7)*time.Minute), "b-Avg="+strconv.Itoa(n))
		a.Received, b.Received = at, at.Add(time.Second)
		put(t, s, a, b)
	}
}

// view is everything that can be asked of the journal.
func view(t *testing.T, s *Store) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, mn := range []string{"M1", "M2"} {
		for cursor := ""; ; {
			page, next, err := s.Frames(mn, time.Time{}, time.Time{}, cursor, 13)
			if err != nil {
				t.Fatal(err)
			}
			for i := range page {
				f, err := s.FrameAt(page[i].Locator)
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(f, page[i]); d != "" {
					t.Error(d)
				}
				out["frame "+f.String()] = fmt.Sprintf("%+v", f)
			}
			if cursor = next; next == "" {
				break
			}
		}
		last, err := s.LastFrames(mn, 1000)
		if err != nil {
			t.Fatal(err)
		}
		out["last "+mn] = fmt.Sprintf("%+v", last)
	}
	if err := s.Groups(0, func(g GroupMeta) bool { out[fmt.Sprint("group ", g.Seq)] = fmt.Sprintf("%+v", g); return true }); err != nil {
		t.Fatal(err)
	}
	for seq := uint64(0); ; {
		page, err := s.Read(t.Context(), seq, s.Tail(), 13)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for i := range page {
			if page[i].Seq != seq+1 {
				t.Errorf("group %d follows %d", page[i].Seq, seq)
			}
			seq = page[i].Seq
			for k := range page[i].Frames {
				f := &page[i].Frames[k]
				if got := fmt.Sprintf("%+v", *f); got != out["frame "+f.String()] {
					t.Errorf("%s, not %s", got, out["frame "+f.String()])
				}
			}
		}
		out["read"] = fmt.Sprint(seq)
	}
	for n := range 100 {
		seq, err := s.SequenceAt(t0.Add(time.Duration(n)*time.Minute + 500*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		out[fmt.Sprint("sequence at ", n)] = fmt.Sprint(seq)
	}
	for _, verify := range []func() (Report, error){
		func() (Report, error) { return s.Verify(t.Context(), Decoder(nil)) },
		func() (Report, error) { return s.VerifyChain(t.Context(), nil) },
	} {
		r, err := verify()
		if err != nil || !r.OK() {
			t.Fatalf("%v %v", r.Faults, err)
		}
		out["head"] = fmt.Sprintf("%d %d %x", r.Groups, r.Frames, r.Head)
	}
	return out
}

func sealAll(t *testing.T, s *Store, o SealOptions) (files []*archive.File) {
	t.Helper()
	for {
		f, err := s.Seal(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if f == nil {
			return files
		}
		files = append(files, f)
	}
}

func fakeS3(t *testing.T) (place *archive.S3, end func()) {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("journal"); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(srv.Close)
	place, err := archive.OpenS3(archive.S3Options{Place: "s3://journal/a/b", Endpoint: srv.URL, Region: "us-east-1", AccessKey: "k", SecretKey: "s"})
	if err != nil {
		t.Fatal(err)
	}
	return place, srv.Close
}

// TestSealedReadsAsBefore: nothing that can be asked of the journal has another
// answer once most of it is in archive files, in a folder and in an object
// store, also after a restart; and receiving goes on.
func TestSealedReadsAsBefore(t *testing.T) {
	t.Parallel()
	for name, place := range map[string]func(t *testing.T) archive.Place{
		"folder": func(t *testing.T) archive.Place {
			t.Helper()
			return archive.Folder(filepath.Join(t.TempDir(), "archive"))
		},
		"s3": func(t *testing.T) archive.Place { t.Helper(); p, _ := fakeS3(t); return p },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := place(t)
			dir := t.TempDir()
			options := func() Options { return Options{NoSync: true, Archive: archive.NewReader(1<<20, at)} }
			s := open(t, dir, options())
			sealGroups(t, s, 0, 100)
			before := view(t, s)
			o := SealOptions{Place: at, Stage: t.TempDir(), Before: t0.Add(75 * time.Minute), MaxGroups: 20}
			files := sealAll(t, s, o)
			if len(files) != 3 || files[2].Last != 60 { // full ones only
				t.Fatalf("%d files: %+v", len(files), files)
			}
			o.Partial = true
			files = append(files, sealAll(t, s, o)...)
			if len(files) != 4 || files[3].Last != 75 || files[3].Before != files[2].Head || files[3].From != t0.Add(60*time.Minute).UnixMicro() {
				t.Fatalf("%d files: %+v", len(files), files[3])
			}
			listed, err := s.Sealed(t.Context())
			if d := cmp.Diff(files, listed); d != "" || err != nil {
				t.Error(d, err)
			}
			if _, _, err := s.local(75, true); !errors.Is(err, ErrNotFound) {
				t.Errorf("group 75 is still in the journal: %v", err)
			}
			if d := cmp.Diff(before, view(t, s)); d != "" {
				t.Errorf("sealed (-before +after):\n%.3000s", d)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, dir, options())
			if d := cmp.Diff(before, view(t, s)); d != "" {
				t.Errorf("after a restart (-before +after):\n%.3000s", d)
			}
			// A repeat of a sealed record adds nothing; another value is a revision.
			r := put(t, s, frameOf(t, 1, 2051, t0.Add(5*time.Minute), "a-Avg=5"), frameOf(t, 1, 2051, t0.Add(5*time.Minute), "a-Avg=6"))
			if !r[0].Repeat || r[0].Locator.Seq != 6 || r[1].Repeat || r[1].Verdict != telemetry.Revision {
				t.Errorf("%+v", r)
			}
			// Everything but the last group can be sealed.
			o.Before = t0.Add(1e6 * time.Hour)
			sealGroups(t, s, 100, 110)
			sealAll(t, s, o)
			if rest, err := s.VerifyChain(t.Context(), nil); err != nil || !rest.OK() || rest.Groups != int64(s.Tail()) {
				t.Errorf("%+v, %v", rest, err)
			}
			if _, _, err := s.local(s.Tail(), true); err != nil {
				t.Errorf("the last group: %v", err)
			}
		})
	}
}

// TestUnreachableArchive: only what lies in it cannot be read, and says why.
func TestUnreachableArchive(t *testing.T) {
	t.Parallel()
	place, end := fakeS3(t)
	s := open(t, t.TempDir(), Options{NoSync: true, Archive: archive.NewReader(0, place)})
	sealGroups(t, s, 0, 20)
	sealAll(t, s, SealOptions{Place: place, Stage: t.TempDir(), Before: t0.Add(10 * time.Minute), Partial: true})
	end()
	_, err := s.FrameAt(telemetry.Locator{Seq: 3})
	if !errors.Is(err, archive.ErrUnreachable) || !strings.Contains(err.Error(), "s3://journal/a/b") || !strings.Contains(err.Error(), "000000000001-000000000010-") {
		t.Errorf("%v", err)
	}
	if _, err := s.Verify(t.Context(), Decoder(nil)); !errors.Is(err, archive.ErrUnreachable) {
		t.Errorf("%v", err)
	}
	if _, err := s.FrameAt(telemetry.Locator{Seq: 11}); err != nil {
		t.Error(err)
	}
	n := 0
	if err := s.Records(1, telemetry.KindMinute, t0.Unix(), t0.Add(time.Hour).Unix(), func(*telemetry.Record) bool { n++; return true }); err != nil || n != 20 {
		t.Errorf("%d rows, %v", n, err)
	}
	if err := s.Groups(10, func(GroupMeta) bool { n++; return true }); err != nil || n != 30 {
		t.Errorf("a reader behind the archive: %d, %v", n, err)
	}
	// Receiving asks no archive, not even for a correction of what lies in it.
	if r := put(t, s, frameOf(t, 1, 2051, t0.Add(time.Minute), "a-Avg=9")); r[0].Err != nil || r[0].Verdict != telemetry.Revision {
		t.Errorf("%+v", r)
	}
	if f, err := s.Seal(t.Context(), SealOptions{Place: place, Stage: t.TempDir(), Before: t0.Add(time.Hour), Partial: true}); err == nil {
		t.Errorf("sealed into nothing: %+v", f)
	}
	if _, err := s.FrameAt(telemetry.Locator{Seq: 12}); err != nil {
		t.Errorf("what could not be sealed is still there: %v", err)
	}
}

// badPlace loses or harms what it is given.
type badPlace struct {
	archive.Folder
	harm func(path string) error
}

func (p badPlace) Put(ctx context.Context, name, path string) error {
	if err := p.Folder.Put(ctx, name, path); err != nil {
		return err
	}
	return p.harm(filepath.Join(string(p.Folder), name))
}

// TestNothingLeavesUnproven: groups stay in the journal when the place fails,
// lies, or when a reader has not come past them.
func TestNothingLeavesUnproven(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	folder := archive.Folder(filepath.Join(dir, "archive"))
	s := open(t, filepath.Join(dir, "db"), Options{NoSync: true, Archive: archive.NewReader(0, folder)})
	sealGroups(t, s, 0, 30)
	before := view(t, s)
	o := SealOptions{Stage: filepath.Join(dir, "stage"), Before: t0.Add(20 * time.Minute), Partial: true}
	for name, harm := range map[string]func(path string) error{
		"full": func(string) error { return errors.New("no space left") },
		"lost": os.Remove,
		"a bit": func(path string) error {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			b[len(b)/2] ^= 1
			return os.WriteFile(path, b, 0o600)
		},
		"cut off": func(path string) error { return os.Truncate(path, 100) },
	} {
		o.Place = badPlace{folder, harm}
		if f, err := s.Seal(t.Context(), o); err == nil {
			t.Errorf("%s: sealed as %+v", name, f)
		}
	}
	if files, err := s.Sealed(t.Context()); err != nil || len(files) > 0 {
		t.Errorf("%+v, %v", files, err)
	}
	if d := cmp.Diff(before, view(t, s)); d != "" {
		t.Errorf("(-before +after):\n%.3000s", d)
	}
	if left, err := os.ReadDir(o.Stage); err != nil || len(left) > 0 {
		t.Errorf("left in the stage: %v, %v", left, err)
	}
	o.Place = folder
	if err := s.PutDerived(nil, "judgement", 7); err != nil {
		t.Fatal(err)
	}
	files := sealAll(t, s, o)
	if len(files) != 1 || files[0].Last != 7 {
		t.Fatalf("a reader was overtaken: %+v", files)
	}
	// A group that does not follow from the one before is not sealed.
	if err := s.PutDerived(nil, "judgement", 30); err != nil {
		t.Fatal(err)
	}
	e := s.engine.Load()
	v, closer, err := e.DB.Get(journalKey(nil, 15))
	if err != nil {
		t.Fatal(err)
	}
	changed := slices.Clone(v)
	_ = closer.Close()
	changed[len(changed)-3] ^= 1
	if err := e.DB.Set(journalKey(nil, 15), changed, nil); err != nil {
		t.Fatal(err)
	}
	if f, err := s.Seal(t.Context(), o); err == nil || !strings.Contains(err.Error(), "group 15 does not follow") {
		t.Errorf("%+v, %v", f, err)
	}
	// A block that was harmed later is told, never handed out.
	path := filepath.Join(string(folder), files[0].Name)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[files[0].Blocks[0].Offset+9] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.FrameAt(telemetry.Locator{Seq: 3}); !errors.Is(err, archive.ErrDamaged) || !strings.Contains(err.Error(), files[0].Name) {
		t.Errorf("%v", err)
	}
}

// TestReadersMeetNoHole: readers by cursor that run while groups are sealed see
// each once and in order.
func TestReadersMeetNoHole(t *testing.T) {
	t.Parallel()
	folder := archive.Folder(filepath.Join(t.TempDir(), "archive"))
	s := open(t, t.TempDir(), Options{NoSync: true, Archive: archive.NewReader(0, folder)})
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for ctx.Err() == nil {
				seq := uint64(0)
				err := s.Groups(0, func(g GroupMeta) bool {
					if g.Seq != seq+1 || len(g.Entries) == 0 {
						t.Errorf("group %d behind %d", g.Seq, seq)
					}
					seq = g.Seq
					return true
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for n := range 20 {
		sealGroups(t, s, n*10, n*10+10)
		if _, err := s.Seal(t.Context(), SealOptions{Place: folder, Stage: t.TempDir(), Before: t0.Add(1e6 * time.Hour), MaxGroups: 7}); err != nil {
			t.Error(err)
		}
	}
	stop()
	wg.Wait()
	if files, err := s.Sealed(t.Context()); err != nil || len(files) < 15 {
		t.Errorf("%d files, %v", len(files), err)
	}
}
