package config

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"plateau/internal/platform/access"
	"plateau/internal/platform/db"
)

// Config is everything an installation sets. New fields work when absent.
type Config struct {
	Data     string   `toml:"data"` // folder for everything the program keeps
	HTTP     HTTP     `toml:"http"`
	Session  Session  `toml:"session"`
	Services Services `toml:"services"`
	OIDC     OIDC     `toml:"oidc"`
	Tokens   Tokens   `toml:"tokens"`
	HJ212    HJ212    `toml:"hj212"`
	MQTT     MQTT     `toml:"mqtt"`
	Profile  Profile  `toml:"profile"`
	Public   Public   `toml:"public"`
	API      API      `toml:"api"`
	Events   Events   `toml:"events"`
	Webhooks Webhooks `toml:"webhooks"`
	Relay    Relay    `toml:"relay"`
	Notify   Notify   `toml:"notify"`
	Keeping  Keeping  `toml:"keeping"`
	Evidence Evidence `toml:"evidence"`
	Database Database `toml:"database"`
	Log      Log      `toml:"log"`

	SensorThings SensorThings `toml:"sensorthings"`
}

// HTTP is the side of browsers and API clients.
type HTTP struct {
	Addr string `toml:"addr"`
	URL  string `toml:"url"` // under which people reach the program, for links in what is sent out; "" = links are paths
	// Proxies are the networks of the proxies before the program, separated by
	// spaces: whose X-Forwarded-For is believed.
	Proxies string `toml:"proxies"`
	TLS     TLS    `toml:"tls"`
}

// TLS is how the program itself speaks https; empty where a proxy does.
type TLS struct {
	Cert          string `toml:"cert"`           // PEM file: the chain, the server's own first
	Key           string `toml:"key"`            // PEM file
	Domains       string `toml:"domains"`        // names to get certificates for by ACME, separated by spaces
	ACMEDirectory string `toml:"acme_directory"` // address of the ACME server
	ACMERoots     string `toml:"acme_roots"`     // PEM file; what that server is trusted by
	ACMEEmail     string `toml:"acme_email"`     // whom it tells of trouble
	ACMETerms     bool   `toml:"acme_terms"`     // its terms are agreed to
	PlainAddr     string `toml:"plain_addr"`     // where plain http is answered by sending people on, such as ":80"
}

// Names returns the domains to get certificates for.
func (t TLS) Names() []string { return strings.Fields(t.Domains) }

// On reports whether the program speaks https.
func (t TLS) On() bool { return t.Cert != "" || t.Domains != "" }

// Session is how long a sign-in holds.
type Session struct {
	Idle Duration `toml:"idle"` // without use
	Life Duration `toml:"life"` // at the latest
	// SecondFactor are the kinds of account, separated by spaces, that need a second
	// factor before they may do anything else.
	SecondFactor string `toml:"second_factor"`
}

// Kinds returns the kinds of account that need a second factor.
func (s Session) Kinds() []string { return strings.Fields(s.SecondFactor) }

// Services is where programs ask that show who they are by a key of their own.
type Services struct {
	Addr string `toml:"addr"` // "" = nowhere
	Cert string `toml:"cert"` // PEM file of this server's certificate there; "" = that of http.tls
	Key  string `toml:"key"`  // PEM file
}

// Tokens are those of programs.
type Tokens struct {
	MaxLife Duration `toml:"max_life"`
}

// OIDC is an identity provider where people may sign in, too.
type OIDC struct {
	Issuer       string `toml:"issuer"` // "" = there is none
	ClientID     string `toml:"client_id"`
	SecretFile   string `toml:"secret_file"` // "" = the provider knows the client by PKCE alone
	NameZh       string `toml:"name_zh"`
	NameBo       string `toml:"name_bo"`
	NameEn       string `toml:"name_en"`
	LoginClaim   string `toml:"login_claim"` // names a local account; "" = only accounts that were linked
	AllowPrivate bool   `toml:"allow_private"`
}

// API is the JSON interface. Each token has a bucket of its own.
type API struct {
	Rate  int `toml:"rate"`  // requests a second that a token gets back; 0 = no limit
	Burst int `toml:"burst"` // requests that it may make at once
}

// Events is the log of what happened, for programs.
type Events struct {
	Keep Duration `toml:"keep"` // 0s = for ever
}

// Webhooks is how events are sent to other programs.
type Webhooks struct {
	AllowPrivate bool     `toml:"allow_private"` // addresses of this machine and of private networks, and http instead of https
	Timeout      Duration `toml:"timeout"`       // of one delivery
	GiveUp       Duration `toml:"give_up"`       // an event is tried for so long
	Workers      int      `toml:"workers"`       // deliveries at one time
}

// Relay is how frames go on to higher platforms.
type Relay struct {
	AllowPrivate bool   `toml:"allow_private"` // addresses of this machine and of private networks
	CAFile       string `toml:"ca_file"`       // PEM of who vouches for platforms over TLS; "" = those of the system
}

// Notify is how people are told of what concerns them.
type Notify struct {
	GiveUp  Duration `toml:"give_up"` // a delivery is tried for so long
	Keep    Duration `toml:"keep"`    // notifications and deliveries older than this are dropped
	Workers int      `toml:"workers"` // deliveries at one time
	SMTP    SMTP     `toml:"smtp"`
	SMS     SMS      `toml:"sms"`
}

// SMTP is the mail server.
type SMTP struct {
	Host     string   `toml:"host"` // "" = nobody is told by mail
	Port     int      `toml:"port"`
	TLS      string   `toml:"tls"`  // starttls, tls, none
	User     string   `toml:"user"` // "" = no sign-in
	Password string   `toml:"password"`
	From     string   `toml:"from"`
	Timeout  Duration `toml:"timeout"` // of one mail
}

// SMS is the HTTP gateway for short messages.
type SMS struct {
	URL     string   `toml:"url"`     // "" = nobody is told by short message
	Headers string   `toml:"headers"` // one a line
	Body    string   `toml:"body"`
	Secret  string   `toml:"secret"` // for {secret}
	Accept  string   `toml:"accept"` // what the answer must contain
	Timeout Duration `toml:"timeout"`
}

// Keeping is where old groups of the journal go.
type Keeping struct {
	Archive     string   `toml:"archive"`    // a folder, s3://BUCKET/PREFIX, or "" for DATA/archive
	SealAfter   Duration `toml:"seal_after"` // age from which groups go there; 0s = never
	S3Endpoint  string   `toml:"s3_endpoint"`
	S3Region    string   `toml:"s3_region"`
	S3AccessKey string   `toml:"s3_access_key"`
	S3SecretKey string   `toml:"s3_secret_key"`
}

// Evidence is the files that come with cases.
type Evidence struct {
	Unused     Duration `toml:"unused"`     // a file that no case refers to goes after this
	Unfinished Duration `toml:"unfinished"` // an upload that nobody goes on with goes after this
}

// SensorThings bounds what clients of the SensorThings API may do.
type SensorThings struct {
	Rate    int      `toml:"rate"` // writes a second of one account; 0 = any number
	MaxRows int      `toml:"max_rows"`
	MaxTime Duration `toml:"max_time"`
}

// HJ212 is the side of the loggers.
type HJ212 struct {
	Addr         string   `toml:"addr"`
	UDPAddr      string   `toml:"udp_addr"`      // for loggers that send datagrams; "" = none
	AdoptUnknown bool     `toml:"adopt_unknown"` // trials and load tests only
	FirstLink    bool     `toml:"first_link"`    // set clock and intervals when a logger first connects (HJ 212-2017 clause 6.7)
	SetClock     bool     `toml:"set_clock"`     // set clocks that are off beyond rule clock.drift
	MaxConns     int      `toml:"max_connections"`
	IdleTimeout  Duration `toml:"idle_timeout"`
}

// MQTT is the broker of changes, alarms and states.
type MQTT struct {
	Addr       string `toml:"addr"` // "" = off
	MaxClients int    `toml:"max_clients"`
}

// Profile is where Go's profiles of the running program are read.
type Profile struct {
	Addr string `toml:"addr"` // on this machine only; "" = off
}

// Public is what residents see without signing in.
type Public struct {
	Enabled    bool   `toml:"enabled"`
	Publisher  string `toml:"publisher"` // authority that publishes, as shown
	Licence    string `toml:"licence"`   // terms under which the data may be used
	LicenceURL string `toml:"licence_url"`
}

// Database is the relational database.
type Database struct {
	URL string `toml:"url"` // postgres://…, a path, or "" for DATA/plateau.db
}

// Log is how the log is written to standard error.
type Log struct {
	Level  string `toml:"level"`  // debug, info, warn, error
	Format string `toml:"format"` // text, json
}

// Duration is a time span written as 90s, 10m or 2h.
type Duration time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is no duration; write it like 90s, 10m or 2h", text)
	}
	*d = Duration(v)
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// Default returns the settings of an installation that sets nothing.
func Default() Config {
	return Config{
		Data:     "data",
		HTTP:     HTTP{Addr: ":8080", TLS: TLS{ACMEDirectory: "https://acme-v02.api.letsencrypt.org/directory"}},
		Session:  Session{Idle: Duration(12 * time.Hour), Life: Duration(7 * 24 * time.Hour)},
		Tokens:   Tokens{MaxLife: Duration(365 * 24 * time.Hour)},
		HJ212:    HJ212{Addr: ":9212", SetClock: true, MaxConns: 20_000, IdleTimeout: Duration(2 * time.Hour)},
		MQTT:     MQTT{MaxClients: 10_000},
		Public:   Public{Enabled: true, Licence: "CC BY 4.0", LicenceURL: "https://creativecommons.org/licenses/by/4.0/"},
		API:      API{Rate: 50, Burst: 500},
		Events:   Events{Keep: Duration(90 * 24 * time.Hour)},
		Webhooks: Webhooks{Timeout: Duration(10 * time.Second), GiveUp: Duration(72 * time.Hour), Workers: 8},
		Notify: Notify{
			GiveUp: Duration(24 * time.Hour), Keep: Duration(90 * 24 * time.Hour), Workers: 4,
			SMTP: SMTP{Port: 587, TLS: "starttls", Timeout: Duration(30 * time.Second)},
			SMS:  SMS{Body: `{"to": "{to}", "text": "{text}"}`, Timeout: Duration(30 * time.Second)},
		},
		Keeping:  Keeping{SealAfter: Duration(90 * 24 * time.Hour), S3Region: "us-east-1"},
		Evidence: Evidence{Unused: Duration(30 * 24 * time.Hour), Unfinished: Duration(30 * 24 * time.Hour)},
		Log:      Log{Level: "info", Format: "text"},

		SensorThings: SensorThings{Rate: 5000, MaxRows: 20_000_000, MaxTime: Duration(30 * time.Second)},
	}
}

// DatabaseURL returns where the relational database is.
func (c Config) DatabaseURL() string {
	if c.Database.URL != "" {
		return c.Database.URL
	}
	return filepath.Join(c.Data, "plateau.db")
}

// ArchiveInStore reports whether archives go into an object store.
func (c Config) ArchiveInStore() bool { return strings.HasPrefix(c.Keeping.Archive, "s3://") }

// Source is where settings come from.
type Source struct {
	Defaults Config            // usually Default()
	File     string            // TOML; "" = none
	Env      []string          // as os.Environ gives it
	Flags    map[string]string // by key, such as "http.addr": only those that were given
}

// Load reads the settings in order: defaults, file, environment, flags. The
// error names the file or variable, the key and what to write instead. unknown
// lists PLATEAU_… variables that set nothing.
func Load(s Source) (c Config, unknown []string, err error) {
	c = s.Defaults
	if s.File != "" {
		if err := c.readFile(s.File); err != nil {
			return c, nil, err
		}
	}
	unknown, err = c.readEnv(s.Env)
	if err != nil {
		return c, nil, err
	}
	for key, value := range s.Flags {
		set := c.setting(key)
		if set == nil {
			return c, nil, fmt.Errorf("no setting %q", key) // a fault of the caller
		}
		if err := set.set(value); err != nil {
			return c, nil, fmt.Errorf("flag for %s: %w", key, err)
		}
	}
	return c, unknown, c.Validate()
}

func (c *Config) readFile(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("configuration file: %w", err)
	}
	meta, err := toml.Decode(string(text), c)
	if e, ok := errors.AsType[toml.ParseError](err); ok {
		return fmt.Errorf("configuration file %s, line %d: %s", path, e.Position.Line, e.Message)
	}
	if err != nil {
		return fmt.Errorf("configuration file %s: %w", path, err)
	}
	var faults []string
	for _, k := range meta.Undecoded() {
		fault := fmt.Sprintf("%q is no setting", k.String())
		if n := lineOf(text, k.String()); n > 0 {
			fault = fmt.Sprintf("line %d: %s", n, fault)
		}
		if near := c.nearest(k.String()); near != "" {
			fault += fmt.Sprintf("; did you mean %q?", near)
		}
		faults = append(faults, fault)
	}
	if len(faults) > 0 {
		return fmt.Errorf("configuration file %s: %s", path, strings.Join(faults, ", "))
	}
	return nil
}

// lineOf finds the line of a key or table, which the decoder does not tell; 0
// when it is written in a way that takes more than a look.
func lineOf(text []byte, key string) int {
	table, n := "", 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimSpace(line)
		name, _, isKey := strings.Cut(line, "=")
		full := table + strings.TrimSpace(name)
		if strings.HasPrefix(line, "[") {
			name, _, isKey = strings.Cut(strings.Trim(line, "["), "]")
			full, table = name, name+"."
		}
		if isKey && full == key {
			return n
		}
	}
	return 0
}

const envPrefix = "PLATEAU_"

// notSettings are variables of tests and of the demonstration.
var notSettings = []string{"PLATEAU_SHARED", "PLATEAU_TEST_POSTGRES"}

func (c *Config) readEnv(env []string) (unknown []string, err error) {
	byName := map[string]setting{}
	for _, s := range c.settings() {
		byName[s.env()] = s
	}
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, envPrefix) || slices.Contains(notSettings, name) {
			continue
		}
		s, known := byName[name]
		if base, ok := strings.CutSuffix(name, "_FILE"); ok && !known {
			if s, known = byName[base]; known {
				text, err := os.ReadFile(value)
				if err != nil {
					return nil, fmt.Errorf("environment variable %s: %w", name, err)
				}
				value = strings.TrimRight(string(text), "\r\n")
			}
		}
		if !known {
			unknown = append(unknown, name)
			continue
		}
		if err := s.set(value); err != nil {
			return nil, fmt.Errorf("environment variable %s: %w", name, err)
		}
	}
	slices.Sort(unknown)
	return unknown, nil
}

// Validate reports the first setting that cannot be used, by its key, with a
// remedy.
func (c Config) Validate() error {
	if err := cmp.Or(c.HTTP.TLS.validate(), c.Services.validate(c.HTTP.TLS)); err != nil {
		return err
	}
	switch {
	case c.Data == "":
		return errors.New("data is empty; name a folder")
	case c.HTTP.Addr == "":
		return errors.New("http.addr is empty; write HOST:PORT or :PORT")
	case !linkBase(c.HTTP.URL):
		return fmt.Errorf("http.url is %q; write it like https://example.org or https://example.org/plateau", c.HTTP.URL)
	case !networks(c.HTTP.Proxies):
		return fmt.Errorf("http.proxies is %q; write networks or addresses, separated by spaces, such as 127.0.0.1/32 ::1/128", c.HTTP.Proxies)
	case time.Duration(c.Session.Idle) < time.Minute || c.Session.Life < c.Session.Idle:
		return fmt.Errorf("session.idle is %s and session.life %s; write 1m or more, and a life that is no shorter than that", time.Duration(c.Session.Idle), time.Duration(c.Session.Life))
	case slices.ContainsFunc(c.Session.Kinds(), func(k string) bool { return !access.Default().ForPerson(k) }):
		return fmt.Errorf("session.second_factor is %q; write kinds of accounts of people, separated by spaces, of %s", c.Session.SecondFactor, strings.Join(access.Default().Accounts(), ", "))
	case time.Duration(c.Tokens.MaxLife) < time.Hour || time.Duration(c.Tokens.MaxLife) > 365*24*time.Hour:
		return fmt.Errorf("tokens.max_life is %s; write 1h or more, and a year (8760h) at most", time.Duration(c.Tokens.MaxLife))
	case c.OIDC.Issuer != "" && !issuer(c.OIDC.Issuer, c.OIDC.AllowPrivate):
		return fmt.Errorf("oidc.issuer is %q; write it as the provider tells it, beginning with https (http only with oidc.allow_private)", c.OIDC.Issuer)
	case c.OIDC.Issuer != "" && (c.OIDC.ClientID == "" || c.OIDC.NameZh == "" || c.HTTP.URL == ""):
		return errors.New("oidc.issuer is set; write oidc.client_id, oidc.name_zh and http.url, too: the provider sends people back to http.url + /sign-in/provider/callback")
	case c.SensorThings.MaxRows < 1:
		return fmt.Errorf("sensorthings.max_rows is %d; write 1 or more", c.SensorThings.MaxRows)
	case time.Duration(c.SensorThings.MaxTime) < time.Second:
		return fmt.Errorf("sensorthings.max_time is %s; write 1s or more", time.Duration(c.SensorThings.MaxTime))
	case c.HJ212.Addr == "":
		return errors.New("hj212.addr is empty; write HOST:PORT or :PORT")
	case c.MQTT.MaxClients < 1:
		return fmt.Errorf("mqtt.max_clients is %d; write 1 or more", c.MQTT.MaxClients)
	case !thisMachine(c.Profile.Addr):
		return fmt.Errorf("profile.addr is %q; profiles need no sign-in, so write an address of this machine only, such as 127.0.0.1:6060", c.Profile.Addr)
	case c.HJ212.MaxConns < 1:
		return fmt.Errorf("hj212.max_connections is %d; write 1 or more", c.HJ212.MaxConns)
	case time.Duration(c.HJ212.IdleTimeout) < time.Minute:
		return fmt.Errorf("hj212.idle_timeout is %s; loggers may be silent for minutes, write 1m or more", time.Duration(c.HJ212.IdleTimeout))
	case c.API.Rate < 0 || c.API.Rate > 0 && c.API.Burst < 1:
		return fmt.Errorf("api.rate is %d with api.burst %d; write a rate of 1 or more with a burst of 1 or more, or rate 0 for no limit", c.API.Rate, c.API.Burst)
	case c.Events.Keep < 0 || c.Events.Keep > 0 && time.Duration(c.Events.Keep) < time.Hour:
		return fmt.Errorf("events.keep is %s; write 1h or more, or 0s to keep all", time.Duration(c.Events.Keep))
	case time.Duration(c.Webhooks.Timeout) < time.Second || time.Duration(c.Webhooks.GiveUp) < time.Minute || c.Webhooks.Workers < 1:
		return errors.New("webhooks: write a timeout of 1s or more, give_up of 1m or more and 1 or more workers")
	case time.Duration(c.Notify.GiveUp) < time.Minute || time.Duration(c.Notify.Keep) < 24*time.Hour || c.Notify.Workers < 1:
		return errors.New("notify: write give_up of 1m or more, keep of 24h or more and 1 or more workers")
	case !between(c.Notify.SMTP.Timeout) || !between(c.Notify.SMS.Timeout):
		return errors.New("notify: write timeouts of smtp and sms between 1s and 1m")
	case c.Notify.SMTP.Port < 1 || c.Notify.SMTP.Port > 65535:
		return fmt.Errorf("notify.smtp.port is %d; write 587 for starttls or 465 for tls", c.Notify.SMTP.Port)
	case !slices.Contains([]string{"starttls", "tls", "none"}, c.Notify.SMTP.TLS):
		return fmt.Errorf("notify.smtp.tls is %q; write starttls, tls or none", c.Notify.SMTP.TLS)
	case c.Notify.SMTP.TLS == "none" && c.Notify.SMTP.User != "":
		return errors.New("notify.smtp.tls is none, so the password would go over the network as it is; write starttls or tls, or leave notify.smtp.user empty")
	case c.Notify.SMTP.Host != "" && c.Notify.SMTP.From == "":
		return errors.New("notify.smtp.from is empty; write the address that mails come from, such as plateau@example.org")
	case c.Public.Enabled && c.Public.Licence == "":
		return errors.New("public.licence is empty; say under which terms the published data may be used, or set public.enabled to false")
	case c.Keeping.SealAfter < 0:
		return fmt.Errorf("keeping.seal_after is %s; write an age such as 2160h, or 0s for never", time.Duration(c.Keeping.SealAfter))
	case time.Duration(c.Evidence.Unused) < 24*time.Hour || time.Duration(c.Evidence.Unfinished) < time.Hour:
		return fmt.Errorf("evidence.unused is %s and evidence.unfinished %s; write 24h or more, and 1h or more: who uploads may go on later", time.Duration(c.Evidence.Unused), time.Duration(c.Evidence.Unfinished))
	case c.ArchiveInStore() && c.Keeping.S3Endpoint == "":
		return errors.New("keeping.archive is in an object store; write its address into keeping.s3_endpoint, such as https://HOST:PORT")
	case c.SensorThings.Rate < 0:
		return fmt.Errorf("sensorthings.rate is %d; write how many writes a second one account may do, or 0 for any number", c.SensorThings.Rate)
	case !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level):
		return fmt.Errorf("log.level is %q; write debug, info, warn or error", c.Log.Level)
	case !slices.Contains([]string{"text", "json"}, c.Log.Format):
		return fmt.Errorf("log.format is %q; write text or json", c.Log.Format)
	}
	return nil
}

func (s Services) validate(t TLS) error {
	switch {
	case (s.Cert == "") != (s.Key == ""):
		return errors.New("services: a certificate needs both services.cert and services.key; name two PEM files")
	case s.Addr == "" && s.Cert != "":
		return errors.New("services.cert is set without services.addr; write where services ask, such as :8443")
	case s.Addr != "" && s.Cert == "" && !t.On():
		return errors.New("services.addr needs https; set services.cert and services.key, or http.tls")
	}
	return nil
}

func (t TLS) validate() error {
	switch {
	case (t.Cert == "") != (t.Key == ""):
		return errors.New("http.tls: a certificate needs both http.tls.cert and http.tls.key; name two PEM files")
	case t.Cert != "" && t.Domains != "":
		return errors.New("http.tls.cert and http.tls.domains are both set; take a certificate from files or by ACME, not both")
	case t.Domains != "" && !t.ACMETerms:
		return errors.New("http.tls.domains asks an authority for certificates; read its terms and set http.tls.acme_terms = true")
	case t.Domains != "" && !strings.HasPrefix(t.ACMEDirectory, "https://"):
		return fmt.Errorf("http.tls.acme_directory is %q; write the https address of an ACME server", t.ACMEDirectory)
	case slices.ContainsFunc(t.Names(), func(n string) bool { return !domain(n) }):
		return fmt.Errorf("http.tls.domains is %q; write names such as plateau.example.org, separated by spaces, without port and path", t.Domains)
	case t.PlainAddr != "" && !t.On():
		return errors.New("http.tls.plain_addr sends people on to https; set http.tls.cert or http.tls.domains first, or leave it out")
	}
	return nil
}

// domain reports whether an ACME server may be asked for a name.
func domain(n string) bool {
	_, err := netip.ParseAddr(n)
	return err != nil && strings.Contains(strings.Trim(n, "."), ".") && !strings.ContainsAny(n, ":/*@ ")
}

// Networks returns the proxies before the program.
func (h HTTP) Networks() (out []netip.Prefix) {
	for s := range strings.FieldsSeq(h.Proxies) {
		if p, ok := network(s); ok {
			out = append(out, p)
		}
	}
	return out
}

// network reads a network, or an address as the network of it alone.
func network(s string) (netip.Prefix, bool) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err == nil
}

func networks(list string) bool {
	return !slices.ContainsFunc(strings.Fields(list), func(s string) bool { _, ok := network(s); return !ok })
}

// issuer reports whether u can be an identity provider.
func issuer(u string, private bool) bool {
	p, err := url.Parse(u)
	return err == nil && linkBase(u) && (p.Scheme == "https" || private)
}

// linkBase reports whether u can stand before the paths of links; "" means that
// nothing does.
func linkBase(u string) bool {
	if u == "" {
		return true
	}
	p, err := url.Parse(u)
	return err == nil && (p.Scheme == "http" || p.Scheme == "https") && p.Host != "" && p.RawQuery == "" && p.Fragment == "" && p.User == nil
}

// between reports whether a timeout is one that a delivery can wait for.
func between(d Duration) bool {
	return time.Duration(d) >= time.Second && time.Duration(d) <= time.Minute
}

// thisMachine reports whether nobody else reaches addr; "" is nowhere.
func thisMachine(addr string) bool {
	if addr == "" {
		return true
	}
	host, _, err := net.SplitHostPort(addr)
	return err == nil && (host == "localhost" || net.ParseIP(host).IsLoopback())
}

// redacted returns c without secrets.
func (c Config) redacted() Config {
	c.Database.URL = db.Redact(c.Database.URL)
	for _, secret := range []*string{&c.Keeping.S3SecretKey, &c.Notify.SMTP.Password, &c.Notify.SMS.Secret} {
		if *secret != "" {
			*secret = "xxxxx"
		}
	}
	return c
}
