package app

import (
	"bytes"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/prometheus/client_golang/prometheus"
)

// The running program announces what its loggers send, takes an observation over
// MQTT and tells of it, and hands a new subscriber the states.
func TestMQTT(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	o := demoOptions(t.TempDir(), &out)
	o.STAOpen = true
	o.Flags["mqtt.addr"] = "127.0.0.1:0"
	a, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	if want := "\nmqtt: " + a.mqttAddr + "\n"; !strings.Contains(out.String(), want) {
		t.Errorf("%q does not have %q", out.String(), want)
	}
	a.history = time.Hour
	defer serveUntilReady(t, a)()
	for _, url := range a.mqttEndpoints() {
		got := make(chan string, 10_000)
		c := paho.NewClient(paho.NewClientOptions().AddBroker(strings.Replace(url, "mqtt:", "tcp:", 1)).SetClientID(url).SetAutoReconnect(false).
			SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { got <- m.Topic() + " " + string(m.Payload()) }))
		if tok := c.Connect(); !tok.WaitTimeout(30*time.Second) || tok.Error() != nil {
			t.Fatalf("%s: %v", url, tok.Error())
		}
		defer c.Disconnect(0)
		for _, name := range []string{"v1.1/Observations?$select=result,resultQuality", "plateau/v1/states/+"} {
			if tok := c.Subscribe(name, 1, nil); !tok.WaitTimeout(30*time.Second) || tok.Error() != nil {
				t.Fatalf("%s: %v", name, tok.Error())
			}
		}
		body := `{"result":41.5,"Datastream":{"name":"level","description":"d","observationType":"x","unitOfMeasurement":{"name":"metre","symbol":"m","definition":null},
			"Thing":{"name":"gauge","description":"d","Locations":[{"name":"here","description":"d","encodingType":"application/geo+json","location":{"type":"Point","coordinates":[91,29]}}]},
			"Sensor":{"name":"s","description":"d","encodingType":"text/html","metadata":"m"},"ObservedProperty":{"name":"o","definition":"urn:x","description":"d"}}}`
		if tok := c.Publish("v1.1/Observations", 1, false, body); !tok.WaitTimeout(30*time.Second) || tok.Error() != nil {
			t.Fatal(tok.Error())
		}
		wanted := map[string]bool{`{"result":41.5}`: true, "plateau/v1/states/": true, `"frame":`: true}
		for over := time.After(90 * time.Second); len(wanted) > 0; {
			select {
			case m := <-got:
				for w := range wanted {
					if strings.Contains(m, w) {
						delete(wanted, w)
					}
				}
			case <-over:
				t.Fatalf("%s: nothing heard of %v, %+v", url, wanted, a.broker.Stats())
			}
		}
	}
	shown := prometheus.NewPedanticRegistry()
	shown.MustRegister(&toldMetrics{a.alarms, a.hooks, a.notify, a.broker})
	list, err := shown.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range list {
		values[f.GetName()] = f.GetMetric()[0].GetGauge().GetValue() + f.GetMetric()[0].GetCounter().GetValue()
	}
	if len(list) != 16 || values["plateau_mqtt_connections"] != 2 || values["plateau_mqtt_published_total"] != 2 || values["plateau_mqtt_sent_total"] < 6 {
		t.Errorf("%d metrics: %v", len(list), values)
	}
}
