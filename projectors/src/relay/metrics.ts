import type { Metrics, Runtime } from '@brokerx/infra';
import { Counter, Gauge, Histogram } from 'prom-client';

/** What the relay tells about itself at `/metrics`. */
export type RelayMetrics = {
  /** This process is the relay, or is not; also one that waits for Kafka is it. */
  leads(isRelay: boolean): void;
  /** Everything up to here is in the topics. */
  moved(position: number): void;
  /** One request with so many messages, watermarks among them, was acknowledged. */
  sent(messages: number, tookMs: number): void;
  failed(): void;
  /** Number of keys that are withheld from a topic. */
  withheld(keys: number): void;
};

/** `head`: position of the newest event known. */
export function relayMetrics({ registry }: Metrics, runtime: Runtime, head: () => number): RelayMetrics {
  const registers = [registry];
  let leads = false;
  let position = 0;
  /** When the topics had everything for the last time, as far as known. */
  let completeMs = runtime.nowMs();
  const lag = () => {
    const events = leads ? Math.max(0, head() - position) : 0;
    if (events === 0) completeMs = runtime.nowMs();
    return events;
  };
  new Gauge({
    name: 'brokerx_relay_active',
    help: 'Whether this process is the relay: 1 or 0.',
    registers,
    collect() {
      this.set(leads ? 1 : 0);
    },
  });
  new Gauge({
    name: 'brokerx_relay_position',
    help: 'Position in the event store up to which the topics have everything, as this process last knew.',
    registers,
    collect() {
      this.set(position);
    },
  });
  new Gauge({
    name: 'brokerx_relay_lag',
    help: 'Positions between the head of the event store and what the topics have.',
    registers,
    collect() {
      this.set(lag());
    },
  });
  new Gauge({
    name: 'brokerx_relay_lag_seconds',
    help: 'Seconds since the topics had everything that was in the event store; 0 while they do.',
    registers,
    collect() {
      this.set(lag() === 0 ? 0 : (runtime.nowMs() - completeMs) / 1_000);
    },
  });
  const messages = new Counter({
    name: 'brokerx_relay_messages_total',
    help: 'Messages acknowledged by the brokers, watermarks included.',
    registers,
  });
  const seconds = new Histogram({
    name: 'brokerx_relay_send_seconds',
    help: 'Time from the sending of a request to its acknowledgement.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
    registers,
  });
  const errors = new Counter({
    name: 'brokerx_relay_errors_total',
    help: 'Times that the relay had to begin anew from the topics.',
    registers,
  });
  const withheld = new Gauge({
    name: 'brokerx_relay_withheld_keys',
    help: 'Keys of which a topic gets no events any more because one could not be sent: each needs an operator.',
    registers,
  });
  return {
    leads(isRelay) {
      leads = isRelay;
      lag();
    },
    moved(at) {
      position = at;
      lag();
    },
    sent(count, tookMs) {
      messages.inc(count);
      seconds.observe(tookMs / 1_000);
    },
    failed: () => errors.inc(),
    withheld: (keys) => withheld.set(keys),
  };
}
