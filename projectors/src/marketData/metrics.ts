import type { Metrics } from '@brokerx/infra';
import { Counter, Gauge } from 'prom-client';

/** What market data tells about itself at `/metrics`. */
export type MarketDataMetrics = {
  moved(position: number): void;
  published(symbols: number): void;
  broken(symbol: string): void;
};

export function marketDataMetrics({ registry }: Metrics): MarketDataMetrics {
  const registers = [registry];
  const position = new Gauge({
    name: 'brokerx_market_data_position',
    help: 'Position in the event store up to which the books are followed.',
    registers,
  });
  const published = new Counter({
    name: 'brokerx_market_data_published_total',
    help: 'Symbols written to the hot view.',
    registers,
  });
  const broken = new Counter({
    name: 'brokerx_market_data_broken_total',
    help: 'Books that could not be followed: each is a defect.',
    labelNames: ['symbol'] as const,
    registers,
  });
  return {
    moved: (at) => position.set(at),
    published: (symbols) => published.inc(symbols),
    broken: (symbol) => broken.inc({ symbol }),
  };
}
