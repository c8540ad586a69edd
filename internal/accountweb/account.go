package accountweb

import (
	"net/http"

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
	sessions, err := h.Auth.Sessions(c.Ctx(), c.Who.ID)
	if err != nil {
		return err
	}
	tokens, err := h.Auth.Tokens(c.Ctx(), c.Who.ID)
	if err != nil {
		return err
	}
	factor, err := h.Auth.Factor(c.Ctx(), c.Who.ID)
	if err != nil {
		return err
	}
	v := &accountView{Factor: factor, Tabs: c.tabs(""), Login: c.Who.Login, Post: c.Who.Post.In(string(c.Lang)), Sessions: len(sessions), Tokens: len(tokens)}
	v.More = c.more()
	return c.Render(http.StatusOK, "account.html", &web.Page{Title: c.L.T("account.title"), Data: v})
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
	list, err := h.Auth.Sessions(c.Ctx(), c.Who.ID)
	if err != nil {
		return err
	}
	idle, life := h.Auth.SessionLimits()
	v := &sessionsView{Tabs: c.tabs("sessions"), Idle: c.L.Duration(idle), Life: c.L.Duration(life)}
	for _, s := range list {
		v.Rows = append(v.Rows, sessionRow{s, s.ID == c.Session.ID})
		if s.ID != c.Session.ID {
			v.Others++
		}
	}
	return c.Render(http.StatusOK, "account_sessions.html", &web.Page{Title: c.L.T("account.sessions_title"), Crumbs: c.crumbs(), Data: v})
}

// endSessions ends one of the other sessions, or with id "others" all of them.
func (h *Handler) endSessions(c *call) error {
	if c.form("id") == "others" {
		if err := h.Auth.EndOthers(c.Ctx(), c.Who.ID, c.Session.ID); err != nil {
			return err
		}
		return c.Done("/account/sessions", "sessions_ended")
	}
	// One that has ended meanwhile is what was asked for.
	if err := h.Auth.EndSession(c.Ctx(), c.Who.ID, c.form("id")); err != nil && !errs.Is(err, errs.NotFound) {
		return err
	}
	return c.Done("/account/sessions", "session_ended")
}
