package accountweb

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
	"plateau/internal/web"
)

// tokenDays are the lives that a token can be given, where the installation
// allows them.
var tokenDays = []int{1, 30, 90, 365}

// What a token may be for, of what its account may.
const (
	forReading = "read"   // what changes nothing
	forChosen  = "chosen" // the permissions that are ticked
	forAll     = "all"
)

// mayField is the name of the box of a permission.
const mayField = "may."

type tokenRow struct {
	auth.APIToken
	Words []string // of what it is for; none = all
}

type tokensView struct {
	Tabs               []web.Tab
	Rows               []tokenRow
	Label, Days, Reach web.Field
	May                []web.Field // a box for each permission that the account holds
	Made               string      // the token that was just made, shown once
}

// held lists the permissions that who is signed in has somewhere and that a token
// can use: pages of one's own account are not for programs.
func (c *call) held() (out []access.Permission) {
	p := access.Default()
	for _, sys := range p.Systems() {
		for _, perm := range p.Permissions(sys) {
			if perm != "platform.account" && !p.Scope(c.Who.Grants(), perm, nil).None() {
				out = append(out, perm)
			}
		}
	}
	return out
}

// words say what a token is for.
func (c *call) words(only access.Only) (out []string) {
	for w := range strings.FieldsSeq(string(only)) {
		switch {
		case w == access.Reading:
			out = append(out, c.L.T("account.token_read"))
		case strings.Contains(w, "."):
			out = append(out, c.L.T("permission."+w))
		default:
			out = append(out, c.L.T("account.token_system", "system", w))
		}
	}
	return out
}

func (h *Handler) tokens(c *call) error { return h.tokensPage(c, "", nil) }

func (h *Handler) tokensPage(c *call, made string, wrong error) error {
	list, err := h.Auth.Tokens(c.Ctx(), c.Who.ID)
	if err != nil {
		return err
	}
	v := &tokensView{
		Tabs: c.tabs("tokens"), Made: made,
		Label: web.Field{Name: "label", Label: c.L.T("account.token_label"), Hint: c.L.T("account.token_label_hint"), Width: "medium"},
		Days:  web.Field{Name: "days", Kind: "select", Label: c.L.T("account.token_days"), Width: "medium"},
		Reach: web.Field{Name: "reach", Kind: "select", Label: c.L.T("account.token_only"), Hint: c.L.T("account.token_only_hint"), Width: "medium"},
	}
	for _, t := range list {
		v.Rows = append(v.Rows, tokenRow{t, c.words(t.Only)})
	}
	reach := forReading
	if wrong != nil {
		v.Label.Value, reach = c.form("label"), c.form("reach")
	}
	for _, name := range []string{forReading, forChosen, forAll} {
		v.Reach.Options = append(v.Reach.Options, web.Option{Value: name, Text: c.L.T("account.token_" + name), Selected: name == reach})
	}
	for _, perm := range c.held() {
		name := mayField + string(perm)
		v.May = append(v.May, web.Field{Name: name, Kind: "checkbox", Label: c.L.T("permission." + string(perm)), Checked: wrong != nil && c.form(name) != ""})
	}
	for _, n := range tokenDays {
		if life := time.Duration(n) * 24 * time.Hour; life <= h.Auth.TokenLife() {
			v.Days.Options = append(v.Days.Options, web.Option{Value: strconv.Itoa(n), Text: c.L.Duration(life), Selected: n == 90})
		}
	}
	p := &web.Page{Title: c.L.T("account.tokens_title"), Crumbs: c.crumbs(), Private: made != "", Data: v}
	status, err := c.faults(wrong, p, &v.Label, &v.Days, &v.Reach)
	if err != nil {
		return err
	}
	return c.Render(status, "account_tokens.html", p)
}

// only is what was chosen for a new token; errs.Invalid about "reach" when that
// is not clear.
func (c *call) only() (access.Only, error) {
	var ticked []string
	for _, perm := range c.held() {
		if c.form(mayField+string(perm)) != "" {
			ticked = append(ticked, string(perm))
		}
	}
	switch reach := c.form("reach"); {
	case reach == forChosen && len(ticked) == 0:
		return "", errs.InvalidField("reach", "err.auth.token_none")
	case reach != forChosen && len(ticked) > 0:
		return "", errs.InvalidField("reach", "err.auth.token_ticked")
	case reach == forReading:
		ticked = []string{access.Reading}
	case !slices.Contains([]string{forChosen, forAll}, reach):
		return "", errs.InvalidField("reach", "err.field.required")
	}
	return access.Default().Narrow(ticked)
}

// makeToken answers with the page itself and not with a redirect: the token is
// shown once, and is kept nowhere from where a second request could take it.
func (h *Handler) makeToken(c *call) error {
	label := strings.TrimSpace(c.form("label"))
	days, _ := strconv.Atoi(c.form("days")) // 0 is none of the choices
	var bad errs.Checks
	bad.Require(label != "", "label", "err.field.required")
	bad.Require(len([]rune(label)) <= 80, "label", "err.field.long", "max", 80)
	bad.Require(days > 0 && days <= tokenDays[len(tokenDays)-1], "days", "err.field.required")
	if err := bad.Err(); err != nil {
		return h.tokensPage(c, "", err)
	}
	only, err := c.only()
	if err != nil {
		return h.tokensPage(c, "", err)
	}
	token, _, err := h.Auth.CreateToken(c.Ctx(), c.Who.ID, label, only, c.Now.Add(time.Duration(days)*24*time.Hour))
	if err != nil {
		return h.tokensPage(c, "", err)
	}
	return h.tokensPage(c, token, nil)
}

func (h *Handler) revokeToken(c *call) error {
	if err := h.Auth.RevokeOwnToken(c.Ctx(), c.Who.ID, c.form("id")); err != nil && !errs.Is(err, errs.NotFound) {
		return err
	}
	return c.Done("/account/tokens", "token_revoked")
}
