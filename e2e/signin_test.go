//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"

	"plateau/internal/accountweb"
	"plateau/internal/testkit"
)

const ownPassword = "river stone under ice"

// account makes an account of its own and returns the path of the link that
// sets its password: the sample accounts serve all tests.
func account(t *testing.T, login string) (link string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), filepath.Join(testkit.Root(), "bin", "plateau"), "user", "add", login, "--role", "officer", "--post", "值班员（示例）",
		"--data", filepath.Join(demo.dir, "data")).CombinedOutput()
	_, link, ok := strings.Cut(strings.TrimSpace(string(out)), demo.http)
	if err != nil || !ok {
		t.Fatalf("%s: %v", out, err)
	}
	return link
}

// named is the program under the name that browsers hold for safe.
func named() string { return strings.Replace(demo.http, "127.0.0.1", "localhost", 1) }

func openNamed(ctx context.Context, t *testing.T, path string) {
	t.Helper()
	if err := chromedp.Do(ctx, chromedp.Navigate(named()+path)); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// fill puts text into fields by their ids.
func fill(ctx context.Context, t *testing.T, values ...string) {
	t.Helper()
	for i := 0; i < len(values); i += 2 {
		if !eval[bool](ctx, t, fmt.Sprintf(`(() => { const e = document.getElementById(%q); if (!e) return false; e.value = %q; return true })()`, values[i], values[i+1])) {
			t.Fatalf("no field %s in\n%.3000s", values[i], eval[string](ctx, t, `document.querySelector("main").innerHTML`))
		}
	}
}

// says wants a text on the page, and a path.
func says(ctx context.Context, t *testing.T, path, want string) {
	t.Helper()
	if at := eval[string](ctx, t, `location.pathname`); at != path {
		t.Fatalf("at %s, want %s:\n%.3000s", at, path, text(ctx, t, "main"))
	}
	if got := text(ctx, t, "main"); !strings.Contains(got, want) {
		t.Errorf("%s does not say %q:\n%.3000s", path, want, got)
	}
}

// setPassword opens a link and signs in with the password set there.
func setPassword(ctx context.Context, t *testing.T, link, login string) {
	t.Helper()
	openNamed(ctx, t, "/en"+link)
	fill(ctx, t, "fresh", ownPassword, "again", ownPassword)
	press(ctx, t, "main form button")
	byPassword(ctx, t, login)
}

// byPassword gives login and password.
func byPassword(ctx context.Context, t *testing.T, login string) {
	t.Helper()
	openNamed(ctx, t, "/en/login")
	fill(ctx, t, "name", login, "password", ownPassword)
	press(ctx, t, "form:has(#password) button")
}

// seen looks at a page in both widths with axe.
func seen(ctx context.Context, t *testing.T) {
	t.Helper()
	for _, size := range [][2]int64{{390, 844}, {1440, 900}} {
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(size[0], size[1])); err != nil {
			t.Fatal(err)
		}
		until(ctx, t, fmt.Sprintf(`innerWidth === %d`, size[0]))
		look(ctx, t, "en")
		var found []fault
		if err := json.Unmarshal([]byte(eval[string](ctx, t, runAxe)), &found); err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			t.Errorf("axe at %d px: %s (%s): %s", size[0], f.ID, f.Help, strings.Join(f.Nodes, "\n  "))
		}
	}
}

// TestPasskey walks the life of a passkey with a device that the browser feigns:
// registering, signing in without a login, beside the password, as proof before a
// dangerous act, removing.
func TestPasskey(t *testing.T) {
	t.Parallel()
	ctx := tab(t)
	axe, err := os.ReadFile(filepath.Join(testkit.Root(), "web", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(ctx, call(cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: string(axe)})); err != nil {
		t.Fatal(err)
	}
	setPassword(ctx, t, account(t, "keyholder"), "keyholder")
	if err := chromedp.Do(ctx, call(webauthn.Enable, webauthn.EnableParams{}), call(webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{
		Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
		},
	})); err != nil {
		t.Fatal(err)
	}
	openNamed(ctx, t, "/en/account/passkeys")
	press(ctx, t, `a[href$="/account/passkeys/new"]`)
	seen(ctx, t)
	fill(ctx, t, "label", "Office key")
	press(ctx, t, "#passkey")
	says(ctx, t, "/en/account/passkeys/new", "Recovery codes of keyholder")
	code := text(ctx, t, "ol.codes code")
	openNamed(ctx, t, "/en/account/passkeys")
	says(ctx, t, "/en/account/passkeys", "Office key")
	seen(ctx, t)

	openNamed(ctx, t, "/en/account/tokens") // with its list of permissions
	seen(ctx, t)

	// The same device again says so on the page.
	openNamed(ctx, t, "/en/account/passkeys/new")
	eval[bool](ctx, t, `(document.getElementById("passkey").click(), true)`)
	until(ctx, t, `!document.querySelector("[data-fault=known]").hidden`)

	press(ctx, t, "form.who button")
	openNamed(ctx, t, "/en/login?next=/en/account")
	press(ctx, t, `a[href*="/sign-in/passkey"]`)
	seen(ctx, t)
	press(ctx, t, "#passkey")
	says(ctx, t, "/en/account", "keyholder")

	press(ctx, t, "form.who button")
	byPassword(ctx, t, "keyholder")
	says(ctx, t, "/en/sign-in/code", "Now use a passkey")
	seen(ctx, t)
	press(ctx, t, "#passkey")
	says(ctx, t, "/en/", "")

	openNamed(ctx, t, "/en/account/confirm?next=/en/account/passkeys")
	seen(ctx, t)
	press(ctx, t, "#passkey")
	says(ctx, t, "/en/account/passkeys", "Office key")

	// Without scripts the page says what to do instead, and a recovery code works.
	press(ctx, t, "form.who button")
	if err := chromedp.Do(ctx, call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})); err != nil {
		t.Fatal(err)
	}
	openNamed(ctx, t, "/en/sign-in/passkey")
	says(ctx, t, "/en/sign-in/passkey", "Passkeys need scripts")
	press(ctx, t, "#passkey")
	says(ctx, t, "/en/sign-in/passkey", "The browser sent no passkey")
	byPassword(ctx, t, "keyholder")
	fill(ctx, t, "code", code)
	press(ctx, t, "form:has(#code) button")
	openNamed(ctx, t, "/en/account/passkeys")
	says(ctx, t, "/en/account/passkeys", "9 recovery codes are left")

	press(ctx, t, `form[action$="/passkeys/remove"] button`)
	says(ctx, t, "/en/account/passkeys", "The passkey is removed")
	press(ctx, t, "form.who button")
	byPassword(ctx, t, "keyholder")
	says(ctx, t, "/en/", "")
}

// TestCodes signs in by password and time-based code, in a browser without scripts.
func TestCodes(t *testing.T) {
	t.Parallel()
	ctx := tab(t)
	if err := chromedp.Do(ctx, call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})); err != nil {
		t.Fatal(err)
	}
	setPassword(ctx, t, account(t, "codeholder"), "codeholder")
	openNamed(ctx, t, "/en/account/second-factor")
	press(ctx, t, `form[action$="/begin"] button`)
	key := strings.ReplaceAll(text(ctx, t, "main pre"), " ", "")
	now := time.Now()
	at := func(t time.Time) string {
		code, err := totp.GenerateCode(key, t)
		if err != nil {
			panic(err)
		}
		return code
	}
	fill(ctx, t, "code", at(now))
	press(ctx, t, "form:has(#code) button")
	says(ctx, t, "/en/account/second-factor/set-up", "Recovery codes of codeholder")
	press(ctx, t, "form.who button")
	byPassword(ctx, t, "codeholder")
	says(ctx, t, "/en/sign-in/code", "Now enter the code")
	fill(ctx, t, "code", at(now)) // spent when it was put in force
	press(ctx, t, "form:has(#code) button")
	says(ctx, t, "/en/sign-in/code", "This code is wrong or was used already")
	fill(ctx, t, "code", at(now.Add(30*time.Second)))
	press(ctx, t, "form:has(#code) button")
	says(ctx, t, "/en/", "")
	openNamed(ctx, t, "/en/account")
	says(ctx, t, "/en/account", "In force since")
}

// TestProvider signs in at an identity provider of another program: unknown,
// linked, known, and the link ended.
func TestProvider(t *testing.T) {
	t.Parallel()
	ctx := tab(t)
	axe, err := os.ReadFile(filepath.Join(testkit.Root(), "web", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(ctx, call(cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: string(axe)})); err != nil {
		t.Fatal(err)
	}
	// The provider must know where to lead back to before the program has a port.
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(free.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	base := "http://localhost:" + port
	issuer, _ := testkit.Provider(t, accountweb.Redirect(base))
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte(testkit.ProviderSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "plateau.toml")
	if err := os.WriteFile(file, fmt.Appendf(nil, "[http]\nurl = %q\n[oidc]\nissuer = %q\nclient_id = %q\nsecret_file = %q\nname_zh = \"省级身份平台（示例）\"\nname_en = \"Sample ID\"\nallow_private = true\n",
		base, issuer, testkit.ProviderClient, secret), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(testkit.Root(), "bin", "plateau"), "serve", "--config", file, "--data", data, "--http", "127.0.0.1:"+port, "--hj212", "127.0.0.1:0")
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the program did not end well: %v", err)
		}
	})
	link := ""
	sc := bufio.NewScanner(out)
	for link == "" && sc.Scan() {
		if name, value, _ := strings.Cut(sc.Text(), ": "); name == "first sign-in" {
			link = strings.TrimPrefix(value, base)
		}
	}
	go func() {
		for sc.Scan() { // keeps the pipe empty
		}
	}()
	to := func(path string) {
		t.Helper()
		if err := chromedp.Do(ctx, chromedp.Navigate(base+path)); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	there := func() {
		t.Helper()
		until(ctx, t, `document.querySelector("#username, input[name=username]") !== null`)
		if !eval[bool](ctx, t, fmt.Sprintf(`(() => { const f = document.forms[0]; f.elements.username.value = %q; f.elements.password.value = %q; f.submit(); return true })()`, testkit.ProviderUser, testkit.ProviderPassword)) {
			t.Fatal("the provider shows no form")
		}
		until(ctx, t, fmt.Sprintf(`location.origin === %q && document.readyState === "complete" && document.querySelector("h1") !== null`, base))
	}
	ready := func() bool {
		resp, err := http.Get(base + "/healthz")
		if err != nil {
			return false
		}
		return resp.Body.Close() == nil
	}
	for end := time.Now().Add(30 * time.Second); !ready(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the program does not answer")
		}
	}
	to("/en/login")
	eval[bool](ctx, t, `(document.querySelector("a[href$='/sign-in/provider']").click(), true)`)
	there()
	says(ctx, t, "/en/sign-in/provider/callback", "no account here is linked with you")
	seen(ctx, t)

	to("/en" + link)
	fill(ctx, t, "fresh", ownPassword, "again", ownPassword)
	press(ctx, t, "main form button")
	fill(ctx, t, "name", "admin", "password", ownPassword)
	press(ctx, t, "form:has(#password) button")
	to("/en/account/provider")
	seen(ctx, t)
	eval[bool](ctx, t, `(document.querySelector("a[href$='/provider/link']").click(), true)`)
	there()
	says(ctx, t, "/en/sign-in/provider/callback", "At Sample ID you are")
	seen(ctx, t)
	press(ctx, t, "main form button")
	says(ctx, t, "/en/account/provider", testkit.ProviderUser)
	seen(ctx, t)

	press(ctx, t, "form.who button")
	to("/en/login?next=/en/account/provider")
	eval[bool](ctx, t, `(document.querySelector("a[href*='/sign-in/provider']").click(), true)`)
	there()
	says(ctx, t, "/en/account/provider", testkit.ProviderUser)
	press(ctx, t, `form[action$="/unlink"] button`)
	fill(ctx, t, "password", ownPassword) // the provider's word is no proof
	press(ctx, t, "form:has(#password) button")
	press(ctx, t, `form[action$="/unlink"] button`)
	says(ctx, t, "/en/account/provider", "This account is not linked.")
}
