package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// Load of all China: outlets under automatic monitoring that send every 30
// seconds, as frames a second.
const chinaRate = 1765

// spareFiles are left for what else a process has open.
const spareFiles = 2000

// Connections measures many loggers that are connected at once and send seldom:
// time to the durable acknowledgement, and the memory and processor time of the
// server, which runs in a process of its own. Over TCP there are as many as
// files may be open, at most c.Conns; when these are fewer, c.Conns are measured
// over connections in memory through the same gateway.
func Connections(ctx context.Context, c Config) (Report, error) {
	if c.Conns <= 0 {
		c.Conns = 50_000
	}
	if c.Rate <= 0 {
		c.Rate = chinaRate
	}
	c.defaults()
	r := newReport("connections")
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return r, fmt.Errorf("limit of open files: %w", err)
	}
	tcp := min(c.Conns, int(min(l.Cur, 1<<30))-spareFiles)
	if tcp < 1 {
		return r, fmt.Errorf("only %d files may be open; raise it with ulimit -n", l.Cur)
	}
	if err := measureConnections(ctx, &c, &r, "tcp", tcp); err != nil {
		return r, err
	}
	r.Notes = append(r.Notes, fmt.Sprintf("%d loggers connected over TCP, %d frames/s of ten factors in all, for %d s a run", tcp, c.Rate, c.Seconds))
	if tcp < c.Conns {
		if err := measureConnections(ctx, &c, &r, "memory", c.Conns); err != nil {
			return r, err
		}
		r.Notes = append(r.Notes, fmt.Sprintf("at most %d files may be open here: %d loggers connected in memory, carried over a few sockets from the other process, through the same gateway", l.Cur, c.Conns))
	}
	if err := measureConnections(ctx, &c, &r, "judged", c.Conns); err != nil {
		return r, err
	}
	r.Notes = append(r.Notes,
		fmt.Sprintf("judged: %d loggers in memory again, every frame judged beside, each logger one outlet", c.Conns),
		"server and load generator are processes of their own; acknowledged: from before a frame is written to after its acknowledgement is read, the sync between",
		"the server is gateway and store; cores are its processor time by the clock; memory is its resident memory at the most")
	return r, nil
}

// measureConnections runs one server and one generator for all runs.
func measureConnections(ctx context.Context, c *Config, r *Report, kind string, conns int) (err error) {
	dir, remove, err := c.tempDir()
	if err != nil {
		return err
	}
	defer remove()
	server, err := startPart(ctx, "server", kind, strconv.Itoa(conns), dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	var at struct{ Addr string }
	if err := server.read(&at); err != nil {
		return err
	}
	load, err := startPart(ctx, "load", kind, strconv.Itoa(conns), at.Addr, strconv.Itoa(c.Rate), strconv.Itoa(c.Seconds))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, load.stop()) }()
	var connected struct{ Acked int64 }
	if err := load.read(&connected); err != nil {
		return err
	}
	var p50, p99, slow, cores, memory, stacks, heap, rate []float64
	for range c.Runs {
		before, err := server.usage()
		if err != nil {
			return err
		}
		began := c.Now()
		var got trickled
		if err := load.ask(&got); err != nil {
			return err
		}
		took := c.Now().Sub(began).Seconds()
		after, err := server.usage()
		if err != nil {
			return err
		}
		if after.Connections != conns {
			return fmt.Errorf("%d of %d loggers are connected", after.Connections, conns)
		}
		p50, p99, slow = append(p50, got.P50), append(p99, got.P99), append(slow, got.Slow)
		rate = append(rate, got.PerSecond)
		cores = append(cores, (after.CPU-before.CPU)/took)
		memory = append(memory, after.PeakMB)
		stacks, heap = append(stacks, after.StacksMB), append(heap, after.HeapMB)
	}
	r.Figures[kind+"_acknowledged_p50"] = figure("ms", "", p50)
	r.Figures[kind+"_acknowledged_p99"] = figure("ms", "< 20", p99)
	r.Figures[kind+"_acknowledged_most"] = figure("ms", "", slow)
	r.Figures[kind+"_rate"] = figure("frames/s", "", rate)
	r.Figures[kind+"_cores"] = figure("cores", "< 0.5", cores)
	r.Figures[kind+"_memory"] = figure("MB", "< 1500", memory)
	r.Figures[kind+"_stacks"] = figure("MB", "", stacks)
	r.Figures[kind+"_heap"] = figure("MB", "", heap)
	return nil
}

// part is a process of this binary that answers lines on its standard input
// with lines of JSON.
type part struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// PartCommand is the hidden command by which the program runs a part.
const PartCommand = "connections-part"

func startPart(ctx context.Context, args ...string) (*part, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, append([]string{"bench", PartCommand}, args...)...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &part{cmd: cmd, in: in, out: bufio.NewReader(out)}, nil
}

func (p *part) read(into any) error {
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("part %v of the measurement ended: %w", p.cmd.Args[3:], err)
	}
	return json.Unmarshal(line, into)
}

func (p *part) ask(into any) error {
	if _, err := io.WriteString(p.in, "\n"); err != nil {
		return err
	}
	return p.read(into)
}

func (p *part) usage() (u usage, err error) { return u, p.ask(&u) }

func (p *part) stop() error {
	_ = p.in.Close()
	late := time.AfterFunc(time.Minute, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	return p.cmd.Wait()
}
