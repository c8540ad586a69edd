package telemetryweb

import (
	"net/http"
	"slices"

	"plateau/internal/platform/openapi"
)

// Parameters that several operations take.
var (
	pFields     = openapi.Param{Name: "fields", Text: "names of the fields that are wanted, with commas between them and dots into what is inside: id,state; a name that there is not is refused"}
	pCursor     = openapi.Param{Name: "cursor", Text: "next of the page before"}
	pLimit      = openapi.Param{Name: "limit", Type: "integer", Text: "how many at most"}
	pArea       = openapi.Param{Name: "area", Text: "code of a division: this one and all below it"}
	pMedium     = openapi.Param{Name: "medium", Enum: []string{"gas", "water", "surface"}, Text: "what is discharged"}
	pText       = openapi.Param{Name: "q", Text: "part of a name, permit number or MN"}
	pEnterprise = openapi.Param{Name: "enterprise", Text: "ID of an enterprise"}
	pState      = openapi.Param{Name: "state", Enum: []string{"normal", "maintenance", "suspect", "warn", "exceed", "offline", "stopped"}, Text: "state of the outlet"}
	pFrom       = openapi.Param{Name: "from", Format: "date-time", Text: "beginning, inclusive (RFC 3339); 24 hours before to without it"}
	pTo         = openapi.Param{Name: "to", Format: "date-time", Text: "end, exclusive; now without it"}
	pKnown      = openapi.Param{Name: "known", Text: "as it was known then: a date or a time"}
	pFactor     = openapi.Param{Name: "factor", Text: "code of one factor, such as a21026"}
	pOn         = openapi.Param{Name: "on", Format: "date", Text: "day on which it is in force; today without it"}
	pKinds      = openapi.Param{Name: "kinds", Text: "kinds of events with commas between them"}
	pWait       = openapi.Param{Name: "wait", Type: "integer", Text: "seconds to wait for it, up to 60"}
	pOutletID   = openapi.Param{Name: "id", In: "path", Type: "integer", Text: "number of the outlet"}
	pAlarmID    = openapi.Param{Name: "id", In: "path", Text: "ID of the alarm"}
	pHookID     = openapi.Param{Name: "id", In: "path", Text: "ID of the webhook"}
	pMN         = openapi.Param{Name: "mn", In: "path", Text: "MN of the logger"}
	paging      = []openapi.Param{pCursor, pLimit, pFields}
)

func with(more []openapi.Param, list ...openapi.Param) []openapi.Param {
	return slices.Concat(list, more)
}

// read declares a reading operation.
func read(path, id, tag, text string, may Permission, serve func(*Handler, *call) error, answer any, params ...openapi.Param) op {
	return op{may: may, serve: serve, Op: openapi.Op{Method: http.MethodGet, Path: "/api/v1" + path, ID: id, Tag: tag, Summary: text, Answer: answer, Params: params, Tagged: true}}
}

// list declares one that gives a list, also as lines.
func list(o op, items string, line any) op {
	o.items, o.Lines = items, line
	return o
}

// act declares a changing operation.
func act(method, path, id, tag, text string, may Permission, serve func(*Handler, *call) error, body, answer any, params ...openapi.Param) op {
	return op{may: may, serve: serve, Op: openapi.Op{Method: method, Path: "/api/v1" + path, ID: id, Tag: tag, Summary: text, Body: body, Answer: answer, Params: params}}
}

// matched lets an operation be bound to what the client has seen.
func matched(o op) op {
	o.Match = true
	return o
}

func lines(o op) op {
	o.OnlyLines, o.Tagged = true, false
	return o
}

// operations are all operations of the interface, each declared once: this is
// what is mounted and what the document says.
func operations() []op {
	return slices.Concat(registryOperations(), valueOperations(), alarmOperations(), loggerOperations(), eventOperations())
}

func registryOperations() []op {
	document := read("/openapi.json", "getDocument", "about", "This description", Open, (*Handler).apiDocument, map[string]any{})
	document.Public = true
	return []op{
		document,
		list(read("/areas", "listAreas", "registry", "Administrative divisions", View, (*Handler).apiAreas, apiAreas{}, with(paging, pArea)...), "areas", apiArea{}),
		list(read("/enterprises", "listEnterprises", "registry", "Enterprises", View, (*Handler).apiEnterprises, apiEnterprises{}, with(paging, pArea)...), "enterprises", apiEnterprise{}),
		read("/enterprises/{id}", "getEnterprise", "registry", "One enterprise", View, (*Handler).apiEnterprise, apiEnterprise{}, openapi.Param{Name: "id", In: "path", Text: "ID of the enterprise"}, pFields),
		list(read("/outlets", "listOutlets", "registry", "Outlets with their state", View, (*Handler).apiOutlets, apiOutlets{}, with(paging, pArea, pMedium, pState, pEnterprise, pText)...), "outlets", apiOutlet{}),
		read("/outlets/{id}", "getOutlet", "registry", "One outlet with all the registry has of it", View, (*Handler).apiOutlet, apiOutletFull{}, pOutletID, pFields),
		list(read("/factors", "listFactors", "rules", "Code table of factors", ReadRules, (*Handler).apiFactors, apiFactors{}, with(paging, openapi.Param{Name: "medium", Text: "of the table, such as water"})...), "factors", apiFactor{}),
		list(read("/rules", "listRules", "rules", "Rules in force", ReadRules, (*Handler).apiRules, apiRules{}, with(paging, pOn)...), "rules", apiRule{}),
		withItems(read("/rules/{id}", "getRule", "rules", "All versions of a rule", ReadRules, (*Handler).apiRuleVersions, apiRules{}, openapi.Param{Name: "id", In: "path", Text: "such as cems.hour_mean"}, pFields), "rules"),
		list(read("/limits", "listLimits", "rules", "Limits of the standards", ReadRules, (*Handler).apiLimits, apiLimits{}, with(paging, pOn, pFactor, openapi.Param{Name: "source_type", Text: "as in the table of limits"})...), "limits", apiLimit{}),
	}
}

// withItems lets fields be chosen of a list's items.
func withItems(o op, items string) op {
	o.items = items
	return o
}

func valueOperations() []op {
	span := []openapi.Param{pFrom, pTo, pFactor}
	all := []openapi.Param{pFrom, pTo, pFactor, pArea, pMedium, pEnterprise, pText, pFields}
	return []op{
		list(read("/states", "listStates", "values", "States of outlets and what decides them", View, (*Handler).apiStates, apiStates{}, with(paging, pArea, pMedium, pState, pEnterprise, pText)...), "states", apiState{}),
		list(read("/outlets/{id}/hours", "listHours", "values", "Judged hours of an outlet, at most 31 days; as lines a year", View, (*Handler).apiHours, apiHours{}, with(span, pOutletID, pKnown, pFields)...), "rows", apiHour{}),
		list(read("/outlets/{id}/days", "listDays", "values", "Judged days of an outlet, at most a year", View, (*Handler).apiDays, apiDays{}, with(span, pOutletID, pKnown, pFields)...), "rows", apiDay{}),
		read("/outlets/{id}/periods", "getPeriod", "values", "A month, quarter or year of an outlet: means and amounts", View, (*Handler).apiPeriod, apiPeriod{}, pOutletID,
			openapi.Param{Name: "level", Enum: []string{"month", "quarter", "year"}, Text: "month without it"}, openapi.Param{Name: "date", Text: "2026-11, 2026-Q4 or 2026; the running one without it"}, pKnown, pFields),
		list(read("/outlets/{id}/indices", "listIndices", "values", "Class of water of a section of surface water by day, at most a year", View, (*Handler).apiIndices, apiIndices{}, pOutletID, pFrom, pTo, pKnown, pFields), "rows", apiIndex{}),
		withItems(read("/outlets/{id}/reports/{period}", "getReport", "values", "The report of an outlet: hours of a day, days of a month, months of a quarter or year, with sums", View, (*Handler).apiReport, apiReport{}, pOutletID,
			openapi.Param{Name: "period", In: "path", Text: "2026-11-22, 2026-11, 2026-Q4 or 2026"}, pKnown, pFields), "rows"),
		read("/outlets/{id}/records", "listRecords", "values", "What an outlet reported, in columns, at most 31 days", View, (*Handler).apiRecords, apiRecords{}, pOutletID,
			openapi.Param{Name: "kind", Enum: []string{"realtime", "minute", "hour", "day"}, Text: "realtime without it"}, pFrom, pTo, pKnown, pFields),
		lines(list(read("/hours", "streamHours", "values", "Judged hours of many outlets, one a line, at most a year", View, (*Handler).apiBulkHours, nil, all...), "", apiHour{})),
		lines(list(read("/days", "streamDays", "values", "Judged days of many outlets, one a line, at most a year", View, (*Handler).apiBulkDays, nil, all...), "", apiDay{})),
	}
}

func alarmOperations() []op {
	filters := []openapi.Param{
		{Name: "state", Enum: []string{"all", "open", "closed", "suppressed"}, Text: "all without it"},
		{Name: "kind", Text: "kind of alarm, such as over"},
		{Name: "severity", Enum: []string{"act", "warn"}, Text: "who has to move"},
		{Name: "acked", Enum: []string{"yes", "no"}, Text: "whether somebody took note"},
		{Name: "outlet", Type: "integer", Text: "number of an outlet"},
		pArea, pText,
		{Name: "from", Format: "date", Text: "first day"},
		{Name: "to", Format: "date", Text: "last day"},
	}
	const note = "Answers with the alarm as it is then"
	change := func(method, path, id, text string, serve func(*Handler, *call) error, body any) op {
		o := matched(act(method, "/alarms/{id}/"+path, id, "alarms", text, AckAlarms, serve, body, apiAlarm{}, pAlarmID))
		o.Text = note
		return o
	}
	return []op{
		list(read("/alarms", "listAlarms", "alarms", "Alarms, the newest first", View, (*Handler).apiAlarms, apiAlarms{}, with(paging, filters...)...), "rows", apiAlarm{}),
		read("/alarms/{id}", "getAlarm", "alarms", "One alarm", View, (*Handler).apiAlarm, apiAlarm{}, pAlarmID, pFields),
		change(http.MethodPost, "acknowledgement", "acknowledgeAlarm", "Take note of an alarm", (*Handler).apiAcknowledge, apiNote{}),
		change(http.MethodDelete, "acknowledgement", "unacknowledgeAlarm", "Take back one's own acknowledgement", (*Handler).apiTakeBack, nil),
		change(http.MethodPost, "false", "callAlarmFalse", "Call an alarm a false one; note says why", (*Handler).apiCallFalse, apiNote{}),
		change(http.MethodDelete, "false", "callAlarmTrue", "Take back one's own call of false", (*Handler).apiCallTrue, nil),
	}
}

func loggerOperations() []op {
	command := act(http.MethodPost, "/devices/{mn}/commands", "sendCommand", "loggers", "Begin a dialogue with a logger", Devices, (*Handler).apiCommand, apiOrder{}, apiRecord{}, pMN, pWait,
		openapi.Param{Name: "Idempotency-Key", In: "header", Text: "a second request with the same key sends nothing and answers with the first dialogue"})
	command.Text = "202 with the dialogue as it is then, or 200 when it is over within wait"
	command.Status, command.Also = http.StatusAccepted, map[int]any{http.StatusOK: apiRecord{}}
	frames := read("/devices/{mn}/frames", "listFrames", "loggers", "Frames as received, in order of arrival, one a line", Frames, (*Handler).apiFrames, nil, pMN, pFrom, pTo,
		openapi.Param{Name: "cursor", Text: "from the header Next-Cursor"}, pLimit)
	frames.Lines = apiFrame{}
	gap := []openapi.Param{
		{Name: "state", Enum: []string{"open", "closed", "given_up"}, Text: "of the gap"},
		{Name: "cause", Text: "who lost it: platform, link, logger or door"},
		{Name: "kind", Enum: []string{"realtime", "minute", "hour", "day"}, Text: "of the records"},
		{Name: "outlet", Type: "integer", Text: "number of an outlet"},
		{Name: "mn", Text: "MN of a logger"},
		pArea, pText,
		{Name: "from", Format: "date-time", Text: "overlap"},
		{Name: "to", Format: "date-time", Text: "overlap"},
		{Name: "after", Text: "the same as cursor, of old"},
	}
	return []op{
		list(read("/devices", "listDevices", "loggers", "Loggers that serve an outlet", Devices, (*Handler).apiDevices, apiDevices{}, with(paging, pArea, pMedium, pText)...), "devices", apiDevice{}),
		read("/devices/{mn}", "getDevice", "loggers", "One logger", Devices, (*Handler).apiDevice, apiDevice{}, pMN, pFields),
		lines(frames),
		command,
		withItems(read("/devices/{mn}/dialogues", "listDialogues", "loggers", "The last dialogues with a logger, the newest first", Devices, (*Handler).apiDialogues, apiDialogues{}, pMN, pFields), "dialogues"),
		read("/dialogues/{id}", "getDialogue", "loggers", "One dialogue", Devices, (*Handler).apiDialogue, apiRecord{}, openapi.Param{Name: "id", In: "path", Text: "ID of the dialogue"}, pFields),
		withItems(read("/gaps", "listGaps", "loggers", "Records that did not come", View, (*Handler).apiGaps, apiGaps{}, with(paging, gap...)...), "gaps"),
		read("/gaps/{id}", "getGap", "loggers", "One gap and how it was asked for", View, (*Handler).apiGap, apiGap{}, openapi.Param{Name: "id", In: "path", Text: "ID of the gap"}, pFields),
	}
}

func eventOperations() []op {
	add := act(http.MethodPost, "/webhooks", "addWebhook", "events", "Add a webhook; the answer holds its secret", Hooks, (*Handler).apiWebhookAdd, apiWebhookInput{}, apiWebhook{})
	add.Status = http.StatusCreated
	drop := matched(act(http.MethodDelete, "/webhooks/{id}", "deleteWebhook", "events", "Delete a webhook", Hooks, (*Handler).apiWebhookDelete, nil, nil, pHookID))
	drop.Status = http.StatusNoContent
	return []op{
		withItems(read("/events", "listEvents", "events", "What happened to alarms and states of outlets, in order", View, (*Handler).apiEvents, apiEvents{},
			openapi.Param{Name: "cursor", Text: "of the last answer; without it from the oldest that is kept, last = from now on"}, pLimit, pKinds, openapi.Param{Name: "outlet", Type: "integer", Text: "number of an outlet"}, pArea, pWait, pFields), "events"),
		withItems(read("/webhooks", "listWebhooks", "events", "Who is told of events", Hooks, (*Handler).apiWebhooks, apiWebhooks{}, pFields), "webhooks"),
		add,
		read("/webhooks/{id}", "getWebhook", "events", "One webhook and how far it has come", Hooks, (*Handler).apiWebhook, apiWebhook{}, pHookID, pFields),
		matched(act(http.MethodPatch, "/webhooks/{id}", "changeWebhook", "events", "Change a webhook; what is left out stays", Hooks, (*Handler).apiWebhookChange, apiWebhookInput{}, apiWebhook{}, pHookID)),
		drop,
		act(http.MethodPost, "/webhooks/{id}/test", "testWebhook", "events", "Send an event of kind webhook.test at once", Hooks, (*Handler).apiWebhookTest, nil, apiDelivery{}, pHookID),
		withItems(read("/webhooks/{id}/deliveries", "listDeliveries", "events", "The last deliveries, the newest first", Hooks, (*Handler).apiWebhookDeliveries, apiDeliveries{}, pHookID, pFields), "deliveries"),
	}
}
