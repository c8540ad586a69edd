package archive_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plateau/internal/telemetry/archive"
)

// written makes a file of n groups of some size and returns it with its path.
func written(tb testing.TB, n, size int) (archive.File, string) {
	tb.Helper()
	w, err := archive.Create(tb.TempDir(), 11, sha256.Sum256([]byte("before")))
	if err != nil {
		tb.Fatal(err)
	}
	for i := range n {
		if err := w.Add(value(i, size), sha256.Sum256(value(i, size)), int64(100+i), int64(200+i)); err != nil {
			tb.Fatal(err)
		}
	}
	f, path, err := w.Close()
	if err != nil {
		tb.Fatal(err)
	}
	return f, path
}

func value(i, size int) []byte {
	return append(fmt.Appendf(nil, "group %d ", i), bytes.Repeat([]byte{byte(i), byte(i >> 8), 7}, size/3)...)
}

// counting counts what is fetched.
type counting struct {
	archive.Folder
	n int
}

func (c *counting) Read(ctx context.Context, name string, off int64, p []byte) error {
	c.n++
	return c.Folder.Read(ctx, name, off, p)
}

func TestFile(t *testing.T) {
	t.Parallel()
	f, path := written(t, 100, 100<<10)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := archive.Parse(b)
	got.Name = f.Name
	if d := cmp.Diff(f, got); d != "" || err != nil || f.First != 11 || f.Last != 110 || f.From != 100 || f.To != 299 || len(f.Blocks) < 8 {
		t.Errorf("%v %s", err, d)
	}
	back, err := archive.ReadRecord(f.AppendRecord(nil))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(&f, back); d != "" {
		t.Error(d)
	}
	place := &counting{Folder: archive.Folder(t.TempDir())}
	if err := place.Put(t.Context(), f.Name, path); err != nil {
		t.Fatal(err)
	}
	if whole, err := os.ReadFile(filepath.Join(place.String(), f.Name)); err != nil || int64(len(whole)) != f.Size {
		t.Errorf("%d, %v", len(whole), err)
	}
	// A cache of two blocks: going through once fetches each block once, going
	// to and fro fetches again, and what is kept is not fetched.
	r := archive.NewReader(2*archive.BlockSize+400<<10, place)
	for i := range 100 {
		v, err := r.Group(t.Context(), &f, uint64(11+i))
		if err != nil || !bytes.Equal(v, value(i, 100<<10)) {
			t.Fatalf("group %d: %d bytes, %v", i, len(v), err)
		}
	}
	if place.n != len(f.Blocks) {
		t.Errorf("%d fetches of %d blocks", place.n, len(f.Blocks))
	}
	place.n = 0
	for range 5 {
		_, _ = r.Group(t.Context(), &f, 110)
	}
	if place.n != 0 {
		t.Errorf("%d fetches of what was just read", place.n)
	}
	if _, _ = r.Group(t.Context(), &f, 11); place.n != 1 {
		t.Errorf("%d fetches: the cache is not bounded", place.n)
	}
	for _, seq := range []uint64{0, 10, 111} {
		if _, err := r.Group(t.Context(), &f, seq); !errors.Is(err, archive.ErrDamaged) {
			t.Errorf("group %d: %v", seq, err)
		}
	}
	if _, err := archive.NewReader(0).Group(t.Context(), &f, 11); !errors.Is(err, archive.ErrUnreachable) {
		t.Errorf("no place: %v", err)
	}
	// A place further down the list is asked for what the first does not have.
	if _, err := archive.NewReader(0, archive.Folder(t.TempDir()), place).Group(t.Context(), &f, 11); err != nil {
		t.Error(err)
	}
}

func TestOpenS3(t *testing.T) {
	t.Parallel()
	for _, o := range []archive.S3Options{
		{Place: "https://journal", Endpoint: "https://s3.example"},
		{Place: "s3://", Endpoint: "https://s3.example"},
		{Place: "s3://journal", Endpoint: "s3.example"},
		{Place: "s3://journal", Endpoint: "ftp://s3.example"},
		{Place: "s3://journal", Endpoint: "https://s3.example/path"},
	} {
		if s, err := archive.OpenS3(o); err == nil {
			t.Errorf("%+v: %s", o, s)
		}
	}
	s, err := archive.OpenS3(archive.S3Options{Place: "s3://journal/a", Endpoint: "https://s3.example:9000", AccessKey: "k", SecretKey: "hunter2"})
	if err != nil || s.String() != "s3://journal/a at s3.example:9000" {
		t.Errorf("%v, %v", s, err)
	}
}

// TestDamaged: what is not as it was written is told by what is wrong with it.
func TestDamaged(t *testing.T) {
	t.Parallel()
	_, path := written(t, 3, 30)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, path = written(t, 0, 0)
	empty, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := func(fromEnd int, v byte) []byte {
		b := bytes.Clone(whole)
		b[len(b)-fromEnd] = v
		return b
	}
	const trailer, entry = 76, 56
	for name, tc := range map[string]struct {
		file []byte
		want string
	}{
		"nothing":              {nil, "does not begin or end as one does"},
		"cut":                  {whole[:len(whole)-1], "does not begin or end as one does"},
		"no group":             {empty, "it ends with group 10 before it begins with 11"},
		"more blocks":          {changed(trailer-11, 2), "its index of 2 blocks at byte"},
		"index beyond":         {changed(trailer-5, 1), "does not fit"},
		"another hash":         {changed(trailer+1, whole[len(whole)-trailer-1]+1), "the block at byte 48 is not what was written"},
		"another length":       {changed(trailer+entry-23, 1), "the block at byte 48 holds"},
		"block of another":     {changed(trailer+entry-7, 99), "its blocks do not follow each other at byte 48"},
		"packed longer":        {changed(trailer+entry-17, 1), "its blocks do not follow each other at byte 48"},
		"block of a later one": {changed(trailer+entry-7, 12), "its blocks do not fill it"},
	} {
		err := archive.ReadBack(t.Context(), inMemory{t, tc.file}, &archive.File{Name: name, Size: int64(len(tc.file)), SHA256: sha256.Sum256(tc.file), First: 11, Last: 13, Head: sha256.Sum256(value(2, 30))})
		if !errors.Is(err, archive.ErrDamaged) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, not %q", name, err, tc.want)
		}
	}
}

// inMemory is a place that has one file, beyond which nobody may read.
type inMemory struct {
	t *testing.T
	b []byte
}

func (m inMemory) Put(context.Context, string, string) error { return errors.New("for reading only") }

func (m inMemory) Read(_ context.Context, _ string, off int64, p []byte) error {
	if off < 0 || off > int64(len(m.b)) || int64(len(p)) > int64(len(m.b))-off {
		m.t.Errorf("%d bytes read at %d of %d", len(p), off, len(m.b))
		return io.ErrUnexpectedEOF
	}
	copy(p, m.b[off:])
	return nil
}

func (m inMemory) String() string { return "memory" }

// FuzzParse: whatever bytes come back from a store are refused, with a word on
// what is wrong, or read, and what is read is the file they came from. Nothing
// beyond it is read, neither as a whole nor group by group.
func FuzzParse(f *testing.F) {
	_, path := written(f, 3, 30)
	b, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:len(b)-1])
	f.Fuzz(func(t *testing.T, b []byte) {
		refused := func(err error) {
			t.Helper()
			if !errors.Is(err, archive.ErrDamaged) || len(err.Error()) < len(archive.ErrDamaged.Error())+10 {
				t.Error(err)
			}
		}
		got, err := archive.Parse(b)
		if err != nil {
			refused(err)
			return
		}
		if got.Size != int64(len(b)) || len(got.Blocks) == 0 {
			t.Errorf("%+v", got)
		}
		place := inMemory{t, b}
		if err := archive.ReadBack(t.Context(), place, &got); err != nil {
			refused(err)
		}
		r := archive.NewReader(0, place)
		for seq := got.First; seq <= got.Last && seq-got.First < 8; seq++ {
			if _, err := r.Group(t.Context(), &got, seq); err != nil {
				refused(err)
			}
		}
	})
}

// FuzzRecord: a record that is read writes the same bytes' meaning again.
func FuzzRecord(f *testing.F) {
	file, _ := written(f, 3, 30)
	f.Add(file.AppendRecord(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := archive.ReadRecord(b)
		if err != nil {
			return
		}
		again, err := archive.ReadRecord(r.AppendRecord(nil))
		if d := cmp.Diff(r, again); d != "" || err != nil {
			t.Error(d, err)
		}
	})
}
