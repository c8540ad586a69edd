package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"plateau/internal/platform/disk"
)

func (x *exam) configuration(context.Context) {
	c := &x.o.Config
	if len(x.o.Unknown) > 0 {
		x.warn("look for the right name in docs/configuration.md, or unset them", "these variables set nothing: %s", strings.Join(x.o.Unknown, ", "))
	}
	if x.o.File == "" {
		x.ok("no file: defaults, and what PLATEAU_… variables set")
		return
	}
	info, err := os.Stat(x.o.File)
	if err != nil {
		x.fault("name the file with --config", "%v", err)
		return
	}
	secret := c.Keeping.S3SecretKey != "" || strings.Contains(c.Database.URL, "@")
	if secret && info.Mode().Perm()&0o004 != 0 {
		x.warn(fmt.Sprintf("chmod o= %s, or put secrets into files of their own and name these in PLATEAU_…_FILE variables", x.o.File), "%s may be read by everybody and may have secrets in it", x.o.File)
		return
	}
	x.ok("%s", x.o.File)
}

// remote are the file systems on which neither locks nor syncs can be relied on.
var remote = map[int64]string{unix.NFS_SUPER_MAGIC: "NFS", unix.SMB_SUPER_MAGIC: "SMB", unix.SMB2_SUPER_MAGIC: "SMB", unix.CIFS_SUPER_MAGIC: "CIFS", unix.V9FS_MAGIC: "9P", unix.FUSE_SUPER_MAGIC: "FUSE"}

func (x *exam) folder(context.Context) {
	dir := x.o.Config.Data
	info, err := os.Stat(dir)
	x.none = true
	switch {
	case errors.Is(err, fs.ErrNotExist):
		x.fault("name the server's folder with --data or data in the configuration; plateau serve makes it at its first start", "%s is not there", dir)
		return
	case err != nil:
		x.fault("run this as the user who runs the server", "%v", err)
		return
	case !info.IsDir():
		x.fault("name a folder", "%s is no folder", dir)
		return
	}
	if _, err := os.Stat(filepath.Join(dir, x.o.Dirs.Telemetry)); err != nil {
		x.fault("name the server's folder with --data; one that was never used is filled at the first start of plateau serve", "%s is no data folder of a server", dir)
		return
	}
	x.none = false
	if info.Mode().Perm()&0o007 != 0 {
		x.fault("chmod o= "+dir, "%s is open to everybody on the machine (mode %o)", dir, info.Mode().Perm())
	}
	if err := unix.Access(dir, unix.W_OK); err != nil {
		x.fault("run this as the user who runs the server, or give that user the folder", "%s cannot be written to: %v", dir, err)
	}
	var f syscall.Statfs_t
	if err := syscall.Statfs(dir, &f); err == nil {
		if name, bad := remote[int64(f.Type)]; bad { //nolint:unconvert // its width differs by machine
			x.warn("keep the data folder on a disk of this machine", "%s is on %s, where a power failure may lose what was acknowledged", dir, name)
		}
	}
	if len(x.found) == 0 || x.found[len(x.found)-1].Check != x.check {
		x.ok("%s", dir)
	}
}

func (x *exam) room(context.Context) {
	used, free, err := disk.Room(x.o.Config.Data)
	if err != nil {
		x.fault("name the server's folder with --data", "%v", err)
		return
	}
	part := 100 * float64(free) / float64(max(used+free, 1))
	text := fmt.Sprintf("%s free, %.0f %% of the disk", size(free), part)
	switch {
	case free < 256<<20:
		x.fault("free room at once: nothing more can be received when it is gone", "%s", text)
	case part < x.o.Limits.FreePercent:
		x.warn("plan for more room, or have old groups archived elsewhere (keeping.archive)", "%s", text)
	default:
		x.ok("%s", text)
	}
}

func size(n int64) string {
	const unit = 1000
	if n < unit*unit {
		return fmt.Sprintf("%d kB", n/unit)
	}
	v, names := float64(n)/unit/unit, []string{"MB", "GB", "TB", "PB"}
	for len(names) > 1 && v >= unit {
		v, names = v/unit, names[1:]
	}
	return fmt.Sprintf("%.1f %s", v, names[0])
}

func (x *exam) server(ctx context.Context) {
	s, err := x.o.Server(ctx)
	switch {
	case err != nil:
		x.fault("look into its log; if it hangs, start it anew", "the running server does not answer: %v", err)
	case s == nil:
		x.ports()
	case len(s.Waiting) > 0:
		for part, why := range s.Waiting {
			x.fault("look into its log", "version %s runs at %s and is not ready: %s: %s", s.Version, s.HTTP, part, why)
		}
	case s.Version != x.o.Version:
		x.warn("start the server anew, so that the installed program runs", "version %s runs at %s, this is version %s", s.Version, s.HTTP, x.o.Version)
	default:
		x.ok("version %s runs at %s and is ready", s.Version, s.HTTP)
	}
}

// ports tells whether a server could start.
func (x *exam) ports() {
	c := &x.o.Config
	free := true
	for _, p := range [][2]string{{"http.addr", c.HTTP.Addr}, {"http.tls.plain_addr", c.HTTP.TLS.PlainAddr}, {"services.addr", c.Services.Addr}, {"hj212.addr", c.HJ212.Addr}, {"mqtt.addr", c.MQTT.Addr}} {
		if p[1] == "" {
			continue
		}
		l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", p[1])
		if err != nil {
			x.fault("stop what listens there, set another address, or allow low ports (deploy/plateau.service does)", "no server runs, and %s could not be opened: %v", p[0], err)
			free = false
			continue
		}
		_ = l.Close()
	}
	if free {
		x.ok("no server runs; its ports are free")
	}
}

// spare is how many files the program has open beside the connections of loggers.
const spare = 2_000

func (x *exam) handles(context.Context) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		x.fault("ask the machine's administrator", "%v", err)
		return
	}
	if need := uint64(x.o.Config.HJ212.MaxConns + spare); l.Max < need {
		x.warn(fmt.Sprintf("allow %d open files (LimitNOFILE of systemd, ulimit -n), or lower hj212.max_connections", need), "this shell may open %d files, hj212.max_connections wants %d", l.Max, need)
		return
	}
	x.ok("up to %d", l.Max)
}

func (x *exam) clock(context.Context) {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	switch {
	case err != nil:
		x.warn("see that the machine's clock is set from the network", "whether the clock is set from somewhere cannot be told here: %v", err)
	case state == unix.TIME_ERROR || t.Status&unix.STA_UNSYNC != 0:
		x.warn("run a time service (chrony, systemd-timesyncd): evidence is worth what its times are", "nothing sets the machine's clock, which says %s", x.now.UTC().Format(time.RFC3339))
	default:
		x.ok("set from outside, off by less than %d ms as the kernel counts", max(t.Maxerror/1000, 1))
	}
}
