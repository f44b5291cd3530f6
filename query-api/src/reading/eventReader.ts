import type { Event } from '@brokerx/contracts';
import type { EventStore } from '@brokerx/infra';

/** The event store as this service may use it: it never writes. */
export type EventReader = Omit<EventStore<Event>, 'append' | 'close'>;
