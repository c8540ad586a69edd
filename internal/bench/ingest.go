package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"plateau/hj212"
	"plateau/internal/platform/disk"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/store"
)

// Config says how much to do; the zero value is a run of a minute or so.
type Config struct {
	Dir      string    // where to write; "" = a temporary folder
	Runs     int       // 0 = 5
	Frames   int       // in one ingest run; 0 = 1,000,000
	Outlets  int       // 0 = 1,000; of recompute and start 300
	Rate     int       // frames/s received beside; 0 = 20,000, of recompute 1,000, of connections 1,765
	Seconds  int       // of each stretch of steady receiving; 0 = 30; of sta of each stretch of posting, 0 = 10
	Days     int       // of history, of recompute, growth and start; 0 = 365
	Plots    string    // folder for the plots of growth; "" = none
	Conns    int       // loggers connected at once, of connections; 0 = 50,000
	History  int       // observations in the Datastream that sta reads; 0 = 1,000,000
	Cases    int       // of cases; 0 = 200,000
	Database string    // an empty PostgreSQL database that cases are measured on, too; "" = SQLite only
	Program  string    // the program, for a server in a process of its own; "" = in this one
	Log      io.Writer // told how far a long preparation is; nil = nobody
	Now      func() time.Time
}

func (c *Config) defaults() {
	if c.Runs <= 0 {
		c.Runs = 5
	}
	if c.Frames <= 0 {
		c.Frames = 1_000_000
	}
	if c.Outlets <= 0 {
		c.Outlets = 1000
	}
	if c.Rate <= 0 {
		c.Rate = 20_000
	}
	if c.Seconds <= 0 {
		c.Seconds = 30
	}
	if c.Days <= 0 {
		c.Days = 365
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

func (c *Config) tell(format string, args ...any) {
	if c.Log != nil {
		fmt.Fprintf(c.Log, format+"\n", args...)
	}
}

// tempDir makes a folder under c.Dir and returns it with its removal.
func (c *Config) tempDir() (string, func(), error) {
	dir, err := os.MkdirTemp(c.Dir, "plateau-bench-")
	return dir, func() { _ = os.RemoveAll(dir) }, err
}

// Ingest measures frames decoded, filed as journal and series, and synced, and
// the disk they take. tcp, when given, measures the same through sockets.
func Ingest(ctx context.Context, c Config, tcp func(ctx context.Context, dir string) (framesPerSecond float64, err error)) (Report, error) {
	c.defaults()
	r := newReport("ingest")
	var rate, perReading, sockets []float64
	for range c.Runs {
		a, b, err := ingestOnce(ctx, &c)
		if err != nil {
			return r, err
		}
		rate, perReading = append(rate, a), append(perReading, b)
		if tcp == nil {
			continue
		}
		dir, remove, err := c.tempDir()
		if err != nil {
			return r, err
		}
		f, err := tcp(ctx, filepath.Join(dir, "tcp"))
		remove()
		if err != nil {
			return r, err
		}
		sockets = append(sockets, f)
	}
	r.Figures["journal_and_series"] = figure("frames/s", ">= 200000", rate)
	r.Figures["disk_per_reading"] = figure("bytes", "<= 10", perReading)
	if sockets != nil {
		r.Figures["tcp_to_durable_ack"] = figure("frames/s", ">= 150000", sockets)
	}
	r.Notes = append(r.Notes, fmt.Sprintf("%d ten-factor frames of %d outlets a run; each is decoded with its CRC, compared, filed and synced", c.Frames, c.Outlets))
	return r, nil
}

// ingestOnce returns frames/s and bytes on disk a reading.
func ingestOnce(ctx context.Context, c *Config) (rate, perReading float64, err error) {
	dir, remove, err := c.tempDir()
	if err != nil {
		return 0, 0, err
	}
	defer remove()
	s, err := store.Open(dir, store.Options{Now: c.Now})
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = s.Close() }()
	raws := makeFrames(c)
	got := receipts{s: s}
	began := c.Now()
	const parts = 2
	var failed [parts]error
	var producers sync.WaitGroup
	for part := range parts {
		producers.Go(func() {
			var p hj212.Packet
			batch := make([]*store.Frame, 0, 256)
			received := c.Now()
			for i := part; i < raws.len(); i += parts {
				f, err := decode(&p, telemetry.OutletID(i%c.Outlets+1), raws.at(i), make([]telemetry.Value, 0, len(codes)), received)
				if err != nil {
					failed[part] = err
					return
				}
				if batch = append(batch, f); len(batch) == cap(batch) {
					if failed[part] = got.submit(ctx, batch...); failed[part] != nil {
						return
					}
					batch, received = batch[:0], c.Now()
				}
			}
			failed[part] = got.submit(ctx, batch...)
		})
	}
	producers.Wait()
	if err := errors.Join(got.wait(), errors.Join(failed[:]...)); err != nil {
		return 0, 0, err
	}
	took := c.Now().Sub(began)
	if err := s.Compact(ctx); err != nil {
		return 0, 0, err
	}
	// Opened and closed once more, the folder holds no write-ahead log that was
	// kept for its next use: what is left is what the readings cost.
	if err := s.Close(); err != nil {
		return 0, 0, err
	}
	if s, err = store.Open(dir, store.Options{Now: c.Now}); err != nil {
		return 0, 0, err
	}
	if err := s.Close(); err != nil {
		return 0, 0, err
	}
	size, err := disk.Size(dir)
	return float64(raws.len()) / took.Seconds(), float64(size) / float64(raws.len()*len(codes)), err
}

// rawFrames are frames made beforehand: making them is not what is measured.
// They lie one behind another in one piece, because a million pieces would have
// the garbage collector measured too.
type rawFrames struct {
	bytes []byte
	ends  []int
}

func (r *rawFrames) len() int { return len(r.ends) }

func (r *rawFrames) at(i int) []byte {
	from := 0
	if i > 0 {
		from = r.ends[i-1]
	}
	return r.bytes[from:r.ends[i]:r.ends[i]]
}

// makeFrames makes those of a run. Two producers take the odd and the even
// ones: with an even number of outlets each outlet's times rise.
func makeFrames(c *Config) *rawFrames {
	loggers := make([]*logger, c.Outlets)
	for i := range loggers {
		loggers[i] = newLogger(i)
	}
	at := c.Now().Add(-time.Duration(c.Frames/c.Outlets+1) * 30 * time.Second).Truncate(time.Second)
	r := &rawFrames{ends: make([]int, c.Frames)}
	for i := range r.ends {
		if i%c.Outlets == 0 {
			at = at.Add(30 * time.Second)
		}
		r.bytes = loggers[i%c.Outlets].frame(r.bytes, at)
		r.ends[i] = len(r.bytes)
	}
	return r
}
