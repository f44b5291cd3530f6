/**
 * Accounts that have orders in a book, by a small number each: an account's id is kept once, however many orders it
 * has. One whose last order has gone is remembered for a while, because it often comes back.
 */
export class AccountNumbers {
  readonly #numbers = new Map<string, number>();
  readonly #names: string[] = [];
  readonly #orders: number[] = [];
  readonly #free: number[] = [];
  /** Accounts whose last order has gone, in a ring, each time that it has; and how often each is in it. */
  readonly #idle: number[] = [];
  readonly #waits: number[] = [];
  #oldest = 0;

  name(number: number): string {
    return this.#names[number] as string;
  }

  /** All names by number; numbers that nobody has are empty. */
  names(): string[] {
    return this.#names.slice();
  }

  /** Its number, for one order more. */
  take(name: string): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) {
      this.#orders[known] = (this.#orders[known] as number) + 1;
      return known;
    }
    const number = this.#free.pop() ?? this.#names.length;
    this.#numbers.set(name, number);
    this.#names[number] = name;
    this.#orders[number] = 1;
    this.#waits[number] = 0;
    return number;
  }

  /** One order less. */
  give(number: number): void {
    const left = (this.#orders[number] as number) - 1;
    this.#orders[number] = left;
    if (left === 0) this.#wait(number);
  }

  /** Takes the place of the one that has waited longest, which is forgotten if it has no orders and waits no more. */
  #wait(number: number): void {
    this.#waits[number] = (this.#waits[number] as number) + 1;
    if (this.#idle.length < IDLE_MAX) {
      this.#idle.push(number);
      return;
    }
    const oldest = this.#idle[this.#oldest] as number;
    this.#idle[this.#oldest] = number;
    this.#oldest = (this.#oldest + 1) % IDLE_MAX;
    const waits = (this.#waits[oldest] as number) - 1;
    this.#waits[oldest] = waits;
    if (waits > 0 || this.#orders[oldest] !== 0) return;
    this.#numbers.delete(this.name(oldest));
    this.#names[oldest] = '';
    this.#free.push(oldest);
  }
}

/** 32 KB, once there are so many. */
const IDLE_MAX = 4_096;
