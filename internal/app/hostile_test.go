package app

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/lsm/lsmtest"
	"plateau/internal/testkit"
)

// hostile are values that somebody may put where a name, a number or a date is
// expected: script, header, path, statement, formula, bytes that are no text.
var hostile = []string{
	`"><script>alert(1)</script>`, "x\r\nX-Injected: 1", "../../../../etc/passwd", `..\..\secret.key`, "' OR '1'='1", "1; DROP TABLE users", "=HYPERLINK(1)",
	"a\x00b", "\xff\xfe", "%s%n%d", "${jndi:ldap://x}", "{{.}}", strings.Repeat("A", 5000), "-1", "99999999999999999999", "1e309", "NaN", "javascript:alert(1)", "//evil.example",
}

// params are the names under which addresses and forms take values.
var params = []string{
	"q", "sort", "order", "from", "to", "kind", "kinds", "next", "page", "cursor", "after", "known", "area", "enterprise", "outlet", "outlets", "factor", "fields", "limit", "date", "day",
	"lang", "format", "state", "id", "mn", "name", "password", "url", "note", "reason", "text", "file", "key", "code", "scope", "level", "$filter", "$orderby", "$select", "$expand", "$top", "$skip", "resultFormat",
}

// TestHostileRequests sends hostile values to every address of the program, as
// nobody and as the operator: in the path, in every parameter, in forms and JSON.
// No answer is a failure of the program, carries a value where it would run or
// change the answer's form, or gives out a file; and each has the headers that
// keep a browser from running, framing, guessing or keeping it.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	if testkit.Race {
		t.Skip("thousands of requests, one after the other; this test runs without the race detector")
	}
	for d, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			newMatrix(t, database.URL(t)).hostile(t, d)
		})
	}
}

// hostile tries a third of the values at each address, another one on each
// database; all with PLATEAU_TEST_FAULTS.
func (m *matrix) hostile(t *testing.T, d int) {
	t.Helper()
	operator := m.tokens[slices.IndexFunc(askers, func(a struct{ kind, area string }) bool { return a.kind == "operator" })]
	n := 0
	for i, rt := range Routes() {
		path := m.path(rt.Path, 0)
		for k, v := range hostile {
			if !lsmtest.All() && k%3 != (i+d)%3 {
				continue
			}
			query := url.Values{}
			for j, p := range params {
				query.Set(p, hostile[(k+j)%len(hostile)])
			}
			query.Set(params[i%len(params)], v)
			for _, token := range []string{"", operator} {
				m.strike(t, rt.Method, path+"?"+query.Encode(), query.Encode(), token)
				n++
				if at := strings.LastIndexByte(path, '/'); at > 3 && token != "" {
					m.strike(t, rt.Method, path[:at+1]+url.PathEscape(v), `{"`+params[k%len(params)]+`":`+fmt.Sprintf("%q", v)+`}`, token)
					n++
				}
			}
		}
	}
	t.Logf("%d requests", n)
}

func (m *matrix) strike(t *testing.T, method, target, body, token string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	m.asked++
	r := httptest.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	r.RemoteAddr = fmt.Sprintf("192.0.%d.%d:1", 2+m.asked/250%250, m.asked%250)
	r.Header.Set("Accept", "text/html,application/json,*/*")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if strings.HasPrefix(body, "{") {
		r.Header.Set("Content-Type", "application/json")
	}
	if method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions {
		r.Body = http.NoBody
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	m.handler.ServeHTTP(w, r)
	m.again(t, 0)
	short := fmt.Sprintf("%s %.120s (token %t): %d", method, target, token != "", w.Code)
	if w.Code >= http.StatusInternalServerError {
		t.Errorf("%s: %.300s", short, w.Body.String())
	}
	text := w.Body.String()
	kind, _, _ := mime.ParseMediaType(w.Header().Get("Content-Type"))
	if kind == "text/html" && (strings.Contains(text, "<script>alert") || strings.Contains(text, `href="javascript:`) || strings.Contains(text, `href="//evil`)) {
		t.Errorf("%s: a value would run in the page", short)
	}
	if strings.Contains(text, "root:x:0") || strings.Contains(text, "goroutine ") {
		t.Errorf("%s: a file or the program's inside is given out", short)
	}
	for name, values := range w.Header() {
		if name == "X-Injected" || strings.ContainsAny(strings.Join(values, ""), "\r\n") {
			t.Errorf("%s: header %s: %q", short, name, values)
		}
	}
	if to := w.Header().Get("Location"); to != "" && (!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.HasPrefix(to, `/\`)) {
		t.Errorf("%s: sent on to %q", short, to)
	}
	m.headers(t, short, w, token)
}

// headers looks at what every answer must carry.
func (m *matrix) headers(t *testing.T, short string, w *httptest.ResponseRecorder, token string) {
	t.Helper()
	h := w.Header()
	csp := h.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'self'", "object-src 'none'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"} {
		if !strings.Contains(csp, want) {
			t.Errorf("%s: Content-Security-Policy %q lacks %s", short, csp, want)
		}
	}
	if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") == "" || h.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("%s: headers %v", short, h)
	}
	if w.Body.Len() > 0 {
		kind, more, err := mime.ParseMediaType(h.Get("Content-Type"))
		switch text := strings.HasPrefix(kind, "text/"); {
		case err != nil:
			t.Errorf("%s: Content-Type %q", short, h.Get("Content-Type"))
		case text && !strings.EqualFold(more["charset"], "utf-8"):
			t.Errorf("%s: Content-Type %q has no charset", short, h.Get("Content-Type"))
		}
	}
	// What only an account may see is never kept by what lies between.
	if cache := h.Get("Cache-Control"); token != "" && w.Code == http.StatusOK && strings.Contains(cache, "public") && !strings.Contains(short, "/public") && !strings.Contains(short, "/assets/") && !strings.Contains(short, "/robots.txt") {
		t.Errorf("%s: Cache-Control %q", short, cache)
	}
}

// TestRawRequests speaks to the port itself: methods nobody needs, requests whose
// length is in doubt, headers that are too long, a request that never ends.
func TestRawRequests(t *testing.T) {
	t.Parallel()
	o := victimOptions(t.TempDir())
	o.Stdout, o.Stderr = io.Discard, io.Discard
	a := running(t, o)
	talk := func(text string) string {
		t.Helper()
		c, err := net.Dial("tcp", a.httpAddr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(30 * time.Second))
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(c)
		if err != nil && len(got) == 0 {
			t.Fatal(err)
		}
		return string(got)
	}
	const end = "Host: x\r\nConnection: close\r\n\r\n"
	for _, c := range []struct{ name, text, want string }{
		{"TRACE", "TRACE / HTTP/1.1\r\nCookie: secret=1\r\n" + end, "HTTP/1.1 405"},
		{"CONNECT", "CONNECT 127.0.0.1:22 HTTP/1.1\r\n" + end, "HTTP/1.1 40"},
		{"two lengths", "POST /en/login HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n" + end + "x", "HTTP/1.1 400"},
		{"length and chunks", "POST /en/login HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n" + end + "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 "},
		{"unknown coding", "POST /en/login HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n" + end, "HTTP/1.1 501"},
		{"long header", "GET / HTTP/1.1\r\nX-Long: " + strings.Repeat("a", 100_000) + "\r\n" + end, "HTTP/1.1 431"},
		{"header in the path", "GET /en/x%0d%0aX-Injected:%201 HTTP/1.1\r\n" + end, "HTTP/1.1 404"},
		{"folder list", "GET /assets/ HTTP/1.1\r\n" + end, "HTTP/1.1 404"},
		{"out of the folder", "GET /assets/../../../etc/passwd HTTP/1.1\r\n" + end, "HTTP/1.1 "},
		{"source control", "GET /.git/config HTTP/1.1\r\n" + end, "HTTP/1.1 404"},
		{"profiles", "GET /debug/pprof/ HTTP/1.1\r\n" + end, "HTTP/1.1 404"},
	} {
		got := talk(c.text)
		if !strings.HasPrefix(got, c.want) || strings.Contains(got, "X-Injected") || strings.Contains(got, "root:x") || strings.Contains(got, "secret=1") || strings.Count(got, "HTTP/1.1 ") != 1 {
			t.Errorf("%s: %.300s", c.name, got)
		}
	}
	// Somebody who sends a letter now and then is put off, and keeps nobody else out.
	c, err := net.Dial("tcp", a.httpAddr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	gone := make(chan struct{})
	go func() {
		_, _ = bufio.NewReader(c).ReadByte()
		close(gone)
	}()
	if got := talk("GET /healthz HTTP/1.1\r\n" + end); !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Errorf("beside it: %.100s", got)
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-gone:
			if time.Since(began) > 15*time.Second {
				t.Errorf("put off after %s", time.Since(began))
			}
			return
		case <-tick.C:
			_, _ = io.Copy(c, bytes.NewReader([]byte("a")))
		}
		if time.Since(began) > 20*time.Second {
			t.Fatal("a request that never ends is waited for")
		}
	}
}

// TestFieldsNobodyAskedFor: what a form or a document sends beyond its own fields
// changes nothing, and a body that says it is packed is not unpacked.
func TestFieldsNobodyAskedFor(t *testing.T) {
	t.Parallel()
	o := victimOptions(t.TempDir())
	o.Stdout, o.Stderr = io.Discard, io.Discard
	o.Flags["hj212.adopt_unknown"] = "false"
	a := running(t, o)
	ctx := t.Context()
	u, err := a.auth.CreateUser(ctx, auth.User{Login: "officer", Role: auth.Officer, Area: "", Post: auth.Post{Zh: "值班员"}}, samplePassword)
	if err != nil {
		t.Fatal(err)
	}
	base := "http://" + a.httpAddr
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	in := ask(t, client, http.MethodPost, base+"/en/login", url.Values{"name": {"officer"}, "password": {samplePassword}, "role": {"operator"}, "id": {"x"}}.Encode())
	if len(in.cookies) != 1 {
		t.Fatalf("signing in: %d", in.status)
	}
	cookie := in.cookies[0].Name + "=" + in.cookies[0].Value
	more := url.Values{
		"current": {samplePassword}, "fresh": {samplePassword + "s"}, "again": {samplePassword + "s"},
		"role": {"operator"}, "kind": {"operator"}, "area": {"540121"}, "login": {"root"}, "id": {"x"}, "user_id": {"x"}, "disabled": {"1"}, "enterprise": {"own"},
	}
	if got := ask(t, client, http.MethodPost, base+"/en/account/password?role=operator", more.Encode(), "Cookie", cookie); got.status != http.StatusSeeOther {
		t.Fatalf("a new password: %d %.300s", got.status, got.body)
	}
	after, err := a.auth.UserByLogin(ctx, "officer")
	if err != nil || after.ID != u.ID || after.Role != u.Role || after.Area != u.Area || after.Enterprise != "" || after.Disabled {
		t.Errorf("%+v became %+v, %v", u, after, err)
	}

	token, err := a.operatorToken(ctx)
	if err != nil {
		t.Fatal(err)
	}
	bearer := []string{"Authorization", "Bearer " + token, "Content-Type", "application/json"}
	if got := ask(t, client, http.MethodPost, base+"/api/v1/webhooks", `{"url":"https://receiver.test/","id":"mine","version":7,"owner":"x"}`, bearer...); got.status/100 != 4 {
		t.Errorf("a document with fields that are not its own: %d %.300s", got.status, got.body)
	}
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	if _, err := io.CopyN(zip, zeros{}, 32<<20); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/api/v1/webhooks", "/sta/v1.1/Things", "/sta/v1.1/$batch", "/en/inspect"} {
		if got := ask(t, client, http.MethodPost, base+path, packed.String(), append(bearer, "Content-Encoding", "gzip")...); got.status/100 != 4 {
			t.Errorf("%s takes a packed body: %d %.200s", path, got.status, got.body)
		}
	}
}

// zeros packs well.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}
