package accountweb

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/platform/notify"
	"plateau/internal/platform/outbound"
	"plateau/internal/web"
)

// settingsPath is the page on which people choose what they are told of.
const settingsPath = "/account/notifications"

func notifyRoutes() []route {
	return []route{
		{"GET", "/notifications", signedIn, (*Handler).inbox},
		{"POST", "/notifications/read", signedIn, (*Handler).readNotifications},
		{"GET", "/notifications/deliveries", watching, (*Handler).deliveries},
		{"GET", settingsPath, signedIn, (*Handler).notifySettings},
		{"POST", settingsPath, signedIn, (*Handler).saveNotify},
		{"POST", settingsPath + "/address", signedIn, (*Handler).setAddress},
		{"POST", settingsPath + "/confirm", signedIn, (*Handler).confirmAddress},
		{"POST", settingsPath + "/remove", signedIn, (*Handler).removeAddress},
	}
}

type inboxView struct {
	Rows     []notify.Notification
	Fields   []*web.Field
	Filtered bool
	Pager    web.Pager
	UpTo     string // the newest notification when the page was drawn
	Watching bool   // may see deliveries
}

// inbox lists what the reader was told.
func (h *Handler) inbox(c *call) error {
	q := c.R.URL.Query()
	f := notify.Filter{Unread: q.Get("show") == "unread", Kind: q.Get("kind")}
	v := &inboxView{Filtered: f.Unread || f.Kind != "", Watching: c.Holds("platform.deliveries")}
	t := web.Table{Path: c.Path("/notifications"), Query: q}
	newest, _, err := h.Notify.Inbox(c.Ctx(), c.Who.ID, c.Lang, notify.Filter{Limit: 1})
	if err != nil {
		return err
	}
	if len(newest) > 0 {
		v.UpTo = newest[0].ID
	}
	var n int
	if _, n, err = h.Notify.Inbox(c.Ctx(), c.Who.ID, c.Lang, f); err != nil { // only the count
		return err
	}
	var to int
	f.Offset, to, v.Pager = t.Cut(n, 0)
	f.Limit = to - f.Offset
	if v.Rows, _, err = h.Notify.Inbox(c.Ctx(), c.Who.ID, c.Lang, f); err != nil {
		return err
	}
	show := &web.Field{Name: "show", Kind: "select", Label: c.L.T("notify.show"), Options: []web.Option{
		{Value: "", Text: c.L.T("notify.show_all")}, {Value: "unread", Text: c.L.T("notify.show_unread"), Selected: f.Unread},
	}}
	kind := &web.Field{Name: "kind", Kind: "select", Label: c.L.T("notify.kind_label"), Options: []web.Option{{Value: "", Text: c.L.T("notify.kind_all")}}}
	for _, k := range h.Notify.KindsFor(c.Who.Grants()) {
		kind.Options = append(kind.Options, web.Option{Value: k.Name, Text: c.L.T("notify.kind." + k.Name), Selected: f.Kind == k.Name})
	}
	v.Fields = []*web.Field{show, kind}
	return c.Render(http.StatusOK, "notifications.html", &web.Page{Title: c.L.T("notify.title"), Data: v})
}

// readNotifications marks one notification as read, or all up to one.
func (h *Handler) readNotifications(c *call) error {
	var err error
	if to := c.form("up_to"); to != "" {
		err = h.Notify.ReadAll(c.Ctx(), c.Who.ID, to)
	} else {
		err = h.Notify.Read(c.Ctx(), c.Who.ID, c.form("id"))
	}
	if err != nil {
		return err
	}
	return c.Done("/notifications", "notify_read")
}

type deliveryRow struct {
	notify.Delivery
	Recipient string
	What      string
	When      string
	Shape     string
}

type deliveriesView struct {
	Rows     []deliveryRow
	Fields   []*web.Field
	Filtered bool
	Pager    web.Pager
}

// deliveries lists what became of what goes out to anybody, without what it says.
func (h *Handler) deliveries(c *call) error {
	q := c.R.URL.Query()
	f := notify.DeliveryFilter{State: q.Get("state"), Channel: notify.Channel(q.Get("channel"))}
	v := &deliveriesView{Filtered: f.State != "" || f.Channel != ""}
	users, err := h.Auth.Users(c.Ctx())
	if err != nil {
		return err
	}
	posts := map[string]string{}
	for i := range users {
		posts[users[i].ID] = users[i].Post.In(string(c.Lang))
	}
	var n, to int
	if _, n, err = h.Notify.Deliveries(c.Ctx(), f); err != nil { // only the count
		return err
	}
	f.Offset, to, v.Pager = web.Table{Path: c.Path("/notifications/deliveries"), Query: q}.Cut(n, 0)
	f.Limit = to - f.Offset
	list, _, err := h.Notify.Deliveries(c.Ctx(), f)
	if err != nil {
		return err
	}
	for i := range list {
		row := c.deliveryRow(&list[i])
		row.Recipient = cmp.Or(posts[list[i].User], c.L.T("notify.recipient_gone"))
		v.Rows = append(v.Rows, row)
	}
	state := &web.Field{Name: "state", Kind: "select", Label: c.L.T("notify.state_label"), Options: []web.Option{{Value: "", Text: c.L.T("notify.state_any")}}}
	for _, s := range []string{notify.Waiting, notify.Sent, notify.Failed, notify.GivenUp} {
		state.Options = append(state.Options, web.Option{Value: s, Text: c.L.T("notify.state." + s), Selected: s == f.State})
	}
	channel := &web.Field{Name: "channel", Kind: "select", Label: c.L.T("notify.col_channel"), Options: []web.Option{{Value: "", Text: c.L.T("notify.channel_any")}}}
	for _, ch := range notify.Channels() {
		channel.Options = append(channel.Options, web.Option{Value: string(ch), Text: c.L.T("notify.channel." + string(ch)), Selected: ch == f.Channel})
	}
	v.Fields = []*web.Field{state, channel}
	crumbs := c.Crumbs("notify.title", "/notifications")
	return c.Render(http.StatusOK, "deliveries.html", &web.Page{Title: c.L.T("notify.deliveries_title"), Crumbs: crumbs, Data: v})
}

// deliveryRow words a delivery, without its recipient.
func (c *call) deliveryRow(d *notify.Delivery) deliveryRow {
	row := deliveryRow{Delivery: *d, What: c.L.T("notify.n_items", "n", d.Items), Shape: "normal"}
	if d.Purpose != "told" {
		row.What = c.L.T("notify.purpose." + d.Purpose)
	}
	switch {
	case d.State == notify.Waiting && d.Tries == 0:
		row.When = c.L.T("notify.due_at", "time", i18n.Stamp(d.Due))
	case d.State == notify.Waiting:
		row.When, row.Shape = c.L.T("notify.next_at", "time", i18n.Stamp(d.Next)), "warn"
	default:
		row.When = c.L.T("notify.ended_at", "time", i18n.Stamp(d.Ended))
	}
	if d.State == notify.Failed || d.State == notify.GivenUp {
		row.Shape = "exceed"
	}
	return row
}

// channelCard is the part of the settings about an address.
type channelCard struct {
	Channel string
	State   string
	Given   string     // the address itself, for its owner
	Address *web.Field // nil = the installation no longer has the channel
	Code    *web.Field // nil = none is asked for
	Button  string
}

// kindRow is a kind with a control for each channel.
type kindRow struct {
	Name   string
	Fields []*web.Field
}

type notifyView struct {
	Tabs                           []web.Tab
	Kinds                          []kindRow
	Lang, From, To, Breaks, Digest *web.Field
	Cards                          []channelCard
	Own                            []deliveryRow
	Secret                         outbound.Secret // of the webhook that was just given, shown once
}

func (h *Handler) notifySettings(c *call) error { return h.notifyPage(c, nil, "", nil) }

// notifyPage shows the settings: as they are, or as they were entered where entered
// is given. wrong is about a form of a channel, or of the settings.
func (h *Handler) notifyPage(c *call, entered *notify.Settings, secret outbound.Secret, wrong error) error {
	set, err := h.Notify.Settings(c.Ctx(), c.Who.ID)
	if err != nil {
		return err
	}
	if entered != nil {
		set = *entered
	}
	addresses, err := h.Notify.Addresses(c.Ctx(), c.Who.ID)
	if err != nil {
		return err
	}
	v := &notifyView{Tabs: c.tabs("notifications"), Secret: secret}
	fields := h.settingFields(c, v, &set, addresses)
	offered := h.Notify.Offered()
	for _, ch := range notify.Channels() {
		if !slices.Contains(offered, ch) {
			if a := addresses[ch].Address; a != "" { // it can still be erased
				v.Cards = append(v.Cards, channelCard{Channel: string(ch), Given: a, State: c.L.T("notify.not_offered")})
			}
			continue
		}
		card := c.card(ch, addresses[ch])
		fields = append(fields, card.Address)
		if card.Code != nil {
			fields = append(fields, card.Code)
		}
		v.Cards = append(v.Cards, card)
	}
	own, _, err := h.Notify.Deliveries(c.Ctx(), notify.DeliveryFilter{User: c.Who.ID, Limit: 10})
	if err != nil {
		return err
	}
	for i := range own {
		v.Own = append(v.Own, c.deliveryRow(&own[i]))
	}
	p := &web.Page{Title: c.L.T("notify.settings_title"), Crumbs: c.crumbs(), Private: secret != "", Data: v}
	if busy, ok := errors.AsType[*errs.Error](wrong); ok && busy.Kind == errs.Busy { // too many codes
		wrong = errs.InvalidField("address_"+c.form("channel"), busy.Key)
	}
	status, err := c.faults(wrong, p, fields...)
	if err != nil {
		return err
	}
	return c.Render(status, "account_notifications.html", p)
}

// settingFields makes the controls of what, where and when.
func (h *Handler) settingFields(c *call, v *notifyView, set *notify.Settings, addresses map[notify.Channel]notify.Address) []*web.Field {
	for _, k := range h.Notify.KindsFor(c.Who.Grants()) {
		row := kindRow{Name: c.L.T("notify.kind." + k.Name)}
		for _, ch := range append([]notify.Channel{notify.Page}, h.Notify.Offered()...) {
			if ch != notify.Page && addresses[ch].Confirmed.IsZero() {
				continue
			}
			f := &web.Field{Name: modeField(k.Name, ch), Kind: "select", Label: c.L.T("notify.channel." + string(ch))}
			for _, m := range modes(ch) {
				f.Options = append(f.Options, web.Option{Value: string(m), Text: c.L.T("notify.mode_" + string(m)), Selected: h.Notify.Mode(set, k.Name, ch) == m})
			}
			row.Fields = append(row.Fields, f)
		}
		v.Kinds = append(v.Kinds, row)
	}
	v.Lang = &web.Field{Name: "lang", Kind: "select", Label: c.L.T("notify.settings_lang")}
	for _, lang := range i18n.Langs() {
		v.Lang.Options = append(v.Lang.Options, web.Option{Value: string(lang), Text: c.L.T("lang." + string(lang)), Selected: lang == set.Lang})
	}
	v.From = &web.Field{Name: "quiet_from", Label: c.L.T("notify.quiet_from"), Hint: c.L.T("notify.quiet_hint"), Optional: true}
	v.To = &web.Field{Name: "quiet_to", Label: c.L.T("notify.quiet_to"), Optional: true}
	v.Digest = &web.Field{Name: "digest_at", Label: c.L.T("notify.digest_at"), Hint: c.L.T("notify.digest_hint"), Value: clockText(set.DigestAt)}
	v.Breaks = &web.Field{Name: "breaks", Kind: "checkbox", Label: c.L.T("notify.breaks"), Checked: set.Breaks}
	if set.QuietFrom != set.QuietTo {
		v.From.Value, v.To.Value = clockText(set.QuietFrom), clockText(set.QuietTo)
	}
	if c.R.Method == http.MethodPost && c.R.PostForm.Has("digest_at") { // as entered, right or wrong
		v.From.Value, v.To.Value, v.Digest.Value = c.form("quiet_from"), c.form("quiet_to"), c.form("digest_at")
	}
	return []*web.Field{v.From, v.To, v.Digest}
}

// modes are when somebody can be told over a channel; a page needs no digest.
func modes(ch notify.Channel) []notify.Mode {
	if ch == notify.Page {
		return []notify.Mode{notify.Now, notify.Off}
	}
	return []notify.Mode{notify.Off, notify.Now, notify.Digest}
}

func modeField(kind string, ch notify.Channel) string { return "mode_" + kind + "_" + string(ch) }

// card is the part about the address of a channel.
func (c *call) card(ch notify.Channel, a notify.Address) channelCard {
	name := string(ch)
	out := channelCard{
		Channel: name, Given: a.Address, State: c.L.T("notify.address_none"), Button: c.L.T("notify.address_set"),
		Address: &web.Field{Name: "address_" + name, Label: c.L.T("notify.address_label"), Hint: c.L.T("notify.address_hint_" + name)},
	}
	switch ch {
	case notify.Mail:
		out.Address.Input, out.Address.Auto = "email", "email"
	case notify.SMS:
		out.Address.Input, out.Address.Auto = "tel", "tel"
	case notify.Webhook:
		out.Address.Input = "url"
	default:
	}
	if a.Address != "" {
		out.Address.Label = c.L.T("notify.address_change")
	}
	switch {
	case a.Address == "":
	case !a.Confirmed.IsZero():
		out.State = c.L.T("notify.address_is", "time", i18n.Stamp(a.Confirmed))
	case a.CodeOpen:
		out.State = c.L.T("notify.address_waits")
		out.Code = &web.Field{Name: "code_" + name, Label: c.L.T("notify.code"), Hint: c.L.T("notify.code_hint"), Input: "numeric", Auto: "one-time-code", Width: "medium"}
	default:
		out.State = c.L.T("notify.address_over")
	}
	if c.form("channel") == name && c.R.PostForm.Has("address_"+name) {
		out.Address.Value = c.form("address_" + name)
	}
	return out
}

func clockText(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }

// clockMinutes reads a time of day as minutes from midnight.
func clockMinutes(text string) (int, bool) {
	text = strings.ReplaceAll(strings.TrimSpace(i18n.Digits(text)), "：", ":")
	t, err := time.Parse("15:04", text)
	return t.Hour()*60 + t.Minute(), err == nil
}

// saveNotify keeps what the reader chose.
func (h *Handler) saveNotify(c *call) error {
	set, err := h.Notify.Settings(c.Ctx(), c.Who.ID)
	if err != nil {
		return err
	}
	for _, k := range h.Notify.KindsFor(c.Who.Grants()) {
		for _, ch := range append([]notify.Channel{notify.Page}, notify.Channels()...) {
			// A channel without an address has no control; what was chosen for it stays.
			if m := notify.Mode(c.form(modeField(k.Name, ch))); slices.Contains(modes(ch), m) {
				set.Modes[notify.Choice{Kind: k.Name, Channel: ch}] = m
			}
		}
	}
	var bad errs.Checks
	if lang, ok := i18n.ParseLang(c.form("lang")); ok {
		set.Lang = lang
	}
	set.Breaks = c.form("breaks") == "1"
	from, to := strings.TrimSpace(c.form("quiet_from")), strings.TrimSpace(c.form("quiet_to"))
	set.QuietFrom, set.QuietTo = 0, 0
	switch {
	case from == "" && to == "":
	case from == "":
		bad.Add("quiet_from", "err.notify.both")
	case to == "":
		bad.Add("quiet_to", "err.notify.both")
	default:
		var ok bool
		if set.QuietFrom, ok = clockMinutes(from); !ok {
			bad.Add("quiet_from", "err.notify.time")
		}
		if set.QuietTo, ok = clockMinutes(to); !ok {
			bad.Add("quiet_to", "err.notify.time")
		}
	}
	var ok bool
	if set.DigestAt, ok = clockMinutes(c.form("digest_at")); !ok {
		bad.Add("digest_at", "err.notify.time")
	}
	if err := bad.Err(); err != nil {
		return h.notifyPage(c, &set, "", err)
	}
	if err := h.Notify.SaveSettings(c.Ctx(), c.Who, set); err != nil {
		return err
	}
	return c.Done(settingsPath, "notify_saved")
}

// ofChannel gives the fields that an error is about the names they have on the
// page, where each channel has its own.
func ofChannel(err error, channel string) error {
	return errs.Renamed(err, func(name string) string { return name + "_" + channel })
}

// setAddress takes an address and has a code sent there. The secret of a webhook
// is shown in the answer itself, because it is shown once.
func (h *Handler) setAddress(c *call) error {
	channel := c.form("channel")
	secret, err := h.Notify.SetAddress(c.Ctx(), c.Who, notify.Channel(channel), c.form("address_"+channel))
	switch {
	case errs.Is(err, errs.Invalid) || errs.Is(err, errs.Busy) && isCodes(err):
		return h.notifyPage(c, nil, "", ofChannel(err, channel))
	case err != nil:
		return err
	case secret != "":
		c.R.PostForm.Del("address_" + channel)
		return h.notifyPage(c, nil, secret, nil)
	}
	return c.Done(settingsPath, "notify_code_sent")
}

// isCodes tells too many codes from a database that is busy.
func isCodes(err error) bool {
	e, ok := errors.AsType[*errs.Error](err)
	return ok && e.Key == "err.notify.codes"
}

func (h *Handler) confirmAddress(c *call) error {
	channel := c.form("channel")
	err := h.Notify.Confirm(c.Ctx(), c.Who, notify.Channel(channel), c.form("code_"+channel))
	switch {
	case errs.Is(err, errs.Invalid):
		// Where the code is no longer good its field is gone: the address is the place.
		e, _ := errors.AsType[*errs.Error](err)
		if a, err := h.Notify.Addresses(c.Ctx(), c.Who.ID); err == nil && !a[notify.Channel(channel)].CodeOpen {
			return h.notifyPage(c, nil, "", errs.InvalidField("address_"+channel, e.Fields[0].Key))
		}
		return h.notifyPage(c, nil, "", ofChannel(err, channel))
	case err != nil:
		return err
	}
	return c.Done(settingsPath, "notify_confirmed")
}

func (h *Handler) removeAddress(c *call) error {
	if err := h.Notify.RemoveAddress(c.Ctx(), c.Who, notify.Channel(c.form("channel"))); err != nil {
		return err
	}
	return c.Done(settingsPath, "notify_removed")
}
