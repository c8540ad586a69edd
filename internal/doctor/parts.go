package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/evidence"
)

func (x *exam) database(ctx context.Context) {
	where := x.o.Config.DatabaseURL()
	v, err := db.Examine(ctx, where)
	if err != nil {
		x.fault("start the database, or name it in database.url", "%s: %v", db.Redact(where), err)
		return
	}
	name := v.Dialect.String() + " " + v.Release
	switch {
	case len(v.Damage) > 0:
		x.fault("stop the server and restore the last backup; keep the damaged file", "%s %s is damaged: %s", name, db.Redact(where), strings.Join(v.Damage, "; "))
	case v.Version == 0:
		x.fault("start plateau serve once, or plateau db migrate", "%s %s has no tables yet", name, db.Redact(where))
	case v.Version > v.Newest:
		x.fault("use the program that made it, or a newer one", "its tables have version %d, this program knows %d", v.Version, v.Newest)
	case v.Version < v.Newest:
		x.warn("make a backup; the next start brings them up to date", "its tables have version %d, this program makes %d", v.Version, v.Newest)
	default:
		x.ok("%s %s, tables of version %d", name, db.Redact(where), v.Version)
	}
	if v.Dialect == db.Postgres {
		if v.Encoding != "UTF8" {
			x.fault("make the database anew with ENCODING 'UTF8'", "its encoding is %s", v.Encoding)
		}
		if v.Offset.Abs() > 5*time.Second {
			x.warn("set both clocks from the network", "its clock is %s off this machine's", v.Offset.Round(time.Second))
		}
	}
}

// evidence reads the files that came with cases, as many as there is time for.
func (x *exam) evidence(ctx context.Context) {
	d, err := db.OpenCurrent(ctx, x.o.Config.DatabaseURL())
	if err != nil {
		x.fault("mend the database first", "files of cases cannot be listed: %v", err)
		return
	}
	defer d.Close() //nolint:errcheck // only read from
	within, cancel := context.WithTimeout(ctx, patience/2)
	defer cancel()
	c, err := evidence.Check(within, d, x.o.Config.Data)
	late := errors.Is(err, context.DeadlineExceeded)
	switch {
	case c.Bad > 0:
		x.fault("take the files from a backup; the server gives none of them out as they are", "%d of %d files are damaged or lost: %s", c.Bad, c.Files, strings.Join(c.Faults, "; "))
	case late:
		x.ok("%d files with %d MB are as they came; there was no time for the rest, plateau verify reads them all", c.Files, c.Bytes>>20)
	case err != nil:
		x.fault("mend the database first", "files of cases cannot be listed: %v", err)
	default:
		x.ok("all %d files, %d MB, are as they came", c.Files, c.Bytes>>20)
	}
}

func (x *exam) accounts(ctx context.Context) {
	d, err := db.OpenCurrent(ctx, x.o.Config.DatabaseURL())
	if err != nil {
		x.fault("mend the database first", "accounts cannot be read: %v", err)
		return
	}
	defer d.Close() //nolint:errcheck // only read from
	users, err := auth.New(d, x.o.Now, auth.Options{}).Users(ctx)
	if err != nil {
		x.fault("mend the database first", "accounts cannot be read: %v", err)
		return
	}
	var operators, open, bare, samples []string
	for _, u := range users {
		if u.Factor {
			x.users++
		}
		if u.Disabled {
			continue
		}
		open = append(open, u.Login)
		if u.Sample {
			samples = append(samples, u.Login)
		}
		if u.Role == auth.Operator || u.Role == "administrator" {
			operators = append(operators, u.Login)
			if !u.Factor {
				bare = append(bare, u.Login)
			}
		}
	}
	if len(samples) > 0 {
		x.fault("close them with plateau user close: their passwords are printed in the documentation", "accounts of the demonstration can sign in: %s", strings.Join(samples, ", "))
	}
	switch {
	case len(operators) == 0:
		x.fault("plateau user add --role operator", "nobody can run the installation: of %d open accounts none is an operator's or administrator's", len(open))
	case len(bare) > 0:
		x.warn("have them set one up under My account, or demand it with session.second_factor", "%s may change everything and sign in without a second factor", strings.Join(bare, ", "))
	default:
		x.ok("%d open, %d of them with a second factor", len(open), x.users)
	}
	if _, err := os.Stat(filepath.Join(x.o.Config.Data, x.o.Dirs.FirstLink)); err == nil {
		x.warn("open the link and set the password; remove the file afterwards", "%s is still there: whoever reads it within a day of its making becomes the operator", x.o.Dirs.FirstLink)
	}
}

func (x *exam) key(context.Context) {
	path := filepath.Join(x.o.Config.Data, x.o.Dirs.Key)
	info, err := os.Stat(path)
	switch {
	case err != nil && x.users > 0:
		x.fault("put the file back from a backup; until then only recovery codes work", "%d accounts have a second factor, and the key that opens it is gone: %v", x.users, err)
	case err != nil:
		x.warn("the next start makes one", "%v", err)
	case info.Mode().Perm()&0o077 != 0:
		x.fault("chmod 600 "+path, "%s may be read by others (mode %o)", path, info.Mode().Perm())
	default:
		x.ok("%s, for its owner only", path)
	}
}

// soon is how long before its end a certificate is pointed out.
const soon = 14 * 24 * time.Hour

func (x *exam) https(context.Context) {
	c := &x.o.Config
	if s := c.Services; s.Cert != "" {
		x.certificate(s.Cert, s.Key)
	}
	u, _ := url.Parse(c.HTTP.URL) // was checked when it was read
	secure := u != nil && u.Scheme == "https"
	switch t := c.HTTP.TLS; {
	case t.Cert != "":
		if leaf := x.certificate(t.Cert, t.Key); leaf != nil && secure {
			if err := leaf.VerifyHostname(u.Hostname()); err != nil {
				x.fault("get a certificate for the name in http.url", "%v", err)
			}
		}
	case t.On():
		x.ok("certificates for %s from %s", t.Domains, t.ACMEDirectory)
	case local(c.HTTP.Addr):
		x.ok("%s is reached from this machine only; a proxy speaks https", c.HTTP.Addr)
	case secure:
		x.warn("let the program listen for the proxy only, such as 127.0.0.1:8080", "a proxy speaks https for %s, but %s is reached in the clear, too", c.HTTP.URL, c.HTTP.Addr)
	default:
		x.fault("set http.tls.cert and http.tls.key, or http.tls.domains, or put a proxy before it (deploy/nginx.conf)", "passwords travel in the clear: %s speaks plain http to everybody", c.HTTP.Addr)
	}
}

// certificate looks at a certificate of this server and its key; nil where they
// cannot be read.
func (x *exam) certificate(cert, key string) *x509.Certificate {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		x.fault("put a certificate and its key there", "%v", err)
		return nil
	}
	if info, err := os.Stat(key); err == nil && info.Mode().Perm()&0o004 != 0 {
		x.fault("chmod o= "+key, "the key %s may be read by everybody", key)
	}
	const renew = "renew it and put the new files in its place; a running server takes them up"
	until := pair.Leaf.NotAfter
	switch left := until.Sub(x.now); {
	case left <= 0:
		x.fault(renew, "the certificate %s ran out on %s", cert, until.Format(time.DateOnly))
	case left < soon:
		x.warn(renew, "the certificate %s runs out on %s", cert, until.Format(time.DateOnly))
	default:
		x.ok("certificate %s, until %s", cert, until.Format(time.DateOnly))
	}
	return pair.Leaf
}

// local reports whether an address is reached from this machine only.
func local(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && (host == "localhost" || net.ParseIP(host).IsLoopback())
}

func (x *exam) addresses(context.Context) {
	c, before := &x.o.Config, len(x.found)
	if c.HTTP.URL == "" {
		x.warn("set http.url to the address that people use", "links in what is sent out are without a host, for http.url is not set")
	}
	if local(c.HTTP.Addr) && c.HTTP.URL != "" && c.HTTP.Proxies == "" {
		x.warn(`set http.proxies = "127.0.0.1 ::1"`, "a proxy stands before the program and is not named: all people share one address, and one of them can use up the tries to sign in of all")
	}
	if c.HJ212.AdoptUnknown {
		x.fault("set hj212.adopt_unknown = false", "unknown loggers are let in whatever their password")
	}
	if c.Webhooks.AllowPrivate {
		x.warn("set webhooks.allow_private = false unless receivers are in the same network", "operators can have the program send requests into its own network")
	}
	if c.Relay.AllowPrivate {
		x.warn("set relay.allow_private = false unless a higher platform is in the same network", "keepers can have the program connect into its own network")
	}
	if c.Public.Enabled && c.Public.Publisher == "" {
		x.warn("set public.publisher and decide on public.licence, or set public.enabled = false", "residents are shown data without the authority that publishes them")
	}
	if len(x.found) == before {
		x.ok("%s", c.HTTP.URL)
	}
}

func (x *exam) backup(context.Context) {
	at, err := x.o.Backup()
	const remedy = "run plateau backup every night (docs/keeping.md), onto another machine"
	switch {
	case err != nil:
		x.fault(remedy, "the note of the last one cannot be read: %v", err)
	case at.IsZero():
		x.warn(remedy, "none was ever made")
	case x.now.Sub(at) > x.o.Limits.BackupAge:
		x.warn(remedy, "the last one is of %s", at.Local().Format(time.DateTime))
	default:
		x.ok("the last one is of %s", at.Local().Format(time.DateTime))
	}
	if db.IsPostgres(x.o.Config.DatabaseURL()) {
		x.warn("run pg_dump after each plateau backup", "it does not hold the database, which is PostgreSQL's")
	}
}

func (x *exam) archive(ctx context.Context) {
	if x.o.Config.Keeping.SealAfter == 0 {
		x.ok("none: keeping.seal_after is 0s")
		return
	}
	where, err := x.o.Archive(ctx)
	if err != nil {
		x.fault("mend keeping.archive and what goes with it", "%s cannot be used: %v", where, err)
		return
	}
	x.ok("%s", where)
}

func (x *exam) audit(ctx context.Context) {
	if x.o.Audit == nil {
		return
	}
	entries, findings, err := x.o.Audit(ctx)
	switch {
	case err != nil:
		x.fault("mend the database first", "%v", err)
	case findings > 0:
		x.fault("plateau audit verify names them; keep the database as it is and find out who changed it", "%d of its %d entries were altered or are missing", findings, entries)
	default:
		x.ok("%d entries, chains whole", entries)
	}
}
