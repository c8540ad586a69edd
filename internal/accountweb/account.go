package accountweb

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
	"plateau/internal/web"
)

type accountView struct {
	Tabs             []web.Tab
	Login, Post      string
	Sessions, Tokens int
	Factor           auth.Factor
	More             []web.Link // what else the post opens here; Key is the catalogue key
}

func (h *Handler) account(c *call) error {
	sessions, err := h.Auth.Sessions(c.ctx(), c.who.ID)
	if err != nil {
		return err
	}
	tokens, err := h.Auth.Tokens(c.ctx(), c.who.ID)
	if err != nil {
		return err
	}
	factor, err := h.Auth.Factor(c.ctx(), c.who.ID)
	if err != nil {
		return err
	}
	v := &accountView{Factor: factor, Tabs: c.tabs(""), Login: c.who.Login, Post: c.who.Post.In(string(c.lang)), Sessions: len(sessions), Tokens: len(tokens)}
	v.More = c.more()
	return h.render(c, http.StatusOK, "account.html", &web.Page{Title: c.l.T("account.title"), Data: v})
}

type sessionRow struct {
	auth.Session
	Own bool
}

type sessionsView struct {
	Tabs   []web.Tab
	Rows   []sessionRow
	Others int
	Idle   string
	Life   string
}

func (h *Handler) sessions(c *call) error {
	list, err := h.Auth.Sessions(c.ctx(), c.who.ID)
	if err != nil {
		return err
	}
	idle, life := h.Auth.SessionLimits()
	v := &sessionsView{Tabs: c.tabs("sessions"), Idle: c.l.Duration(idle), Life: c.l.Duration(life)}
	for _, s := range list {
		v.Rows = append(v.Rows, sessionRow{s, s.ID == c.session.ID})
		if s.ID != c.session.ID {
			v.Others++
		}
	}
	return h.render(c, http.StatusOK, "account_sessions.html", &web.Page{Title: c.l.T("account.sessions_title"), Crumbs: c.crumbs(), Data: v})
}

// endSessions ends one of the other sessions, or with id "others" all of them.
func (h *Handler) endSessions(c *call) error {
	if c.form("id") == "others" {
		if err := h.Auth.EndOthers(c.ctx(), c.who.ID, c.session.ID); err != nil {
			return err
		}
		return c.done("/account/sessions", "sessions_ended")
	}
	// One that has ended meanwhile is what was asked for.
	if err := h.Auth.EndSession(c.ctx(), c.who.ID, c.form("id")); err != nil && !errs.Is(err, errs.NotFound) {
		return err
	}
	return c.done("/account/sessions", "session_ended")
}

// tokenDays are the lives that a token can be given.
var tokenDays = []int{30, 90, 365}

type tokensView struct {
	Tabs        []web.Tab
	Rows        []auth.APIToken
	Label, Days web.Field
	Made        string // the token that was just made, shown once
}

func (h *Handler) tokens(c *call) error { return h.tokensPage(c, "", nil) }

func (h *Handler) tokensPage(c *call, made string, wrong error) error {
	list, err := h.Auth.Tokens(c.ctx(), c.who.ID)
	if err != nil {
		return err
	}
	v := &tokensView{
		Tabs: c.tabs("tokens"), Rows: list, Made: made,
		Label: web.Field{Name: "label", Label: c.l.T("account.token_label"), Hint: c.l.T("account.token_label_hint"), Width: "medium"},
		Days:  web.Field{Name: "days", Kind: "select", Label: c.l.T("account.token_days"), Width: "medium"},
	}
	if wrong != nil {
		v.Label.Value = c.form("label")
	}
	for _, n := range tokenDays {
		v.Days.Options = append(v.Days.Options, web.Option{Value: strconv.Itoa(n), Text: c.l.Duration(time.Duration(n) * 24 * time.Hour), Selected: n == 90})
	}
	p := &web.Page{Title: c.l.T("account.tokens_title"), Crumbs: c.crumbs(), Private: made != "", Data: v}
	status, err := c.faults(wrong, p, &v.Label, &v.Days)
	if err != nil {
		return err
	}
	return h.render(c, status, "account_tokens.html", p)
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
	token, _, err := h.Auth.CreateToken(c.ctx(), c.who.ID, label, c.now.AddDate(0, 0, days))
	if err != nil {
		return err
	}
	return h.tokensPage(c, token, nil)
}

func (h *Handler) revokeToken(c *call) error {
	if err := h.Auth.RevokeOwnToken(c.ctx(), c.who.ID, c.form("id")); err != nil && !errs.Is(err, errs.NotFound) {
		return err
	}
	return c.done("/account/tokens", "token_revoked")
}
