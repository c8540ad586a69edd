// Command openapi writes the OpenAPI document of the interface into a file, for
// the generator of the client.
package main

import (
	"log"
	"os"

	"plateau/internal/caseweb"
	"plateau/internal/telemetryweb"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: openapi FILE")
	}
	if err := os.WriteFile(os.Args[1], telemetryweb.Document(caseweb.Operations()...), 0o600); err != nil {
		log.Fatal(err)
	}
}
