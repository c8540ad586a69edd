package sensorthings

import "plateau/internal/platform/access"

// Permissions of the interface, over HTTP and MQTT alike. Which outlets somebody
// sees through it is another one, of the outlets.
const (
	MayRead  = access.Permission("telemetry.read")
	MayWrite = access.Permission("telemetry.write")
)
