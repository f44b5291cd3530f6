/**
 * Numbers the accounts that have orders in a book, so that each account's id is stored once, however many orders it
 * has. An account without orders keeps its number while accounts are few, because it often places another one.
 */
export class AccountNumbers {
  readonly #numbers = new Map<string, number>();
  readonly #names: string[] = [];
  readonly #orders: number[] = [];
  readonly #free: number[] = [];

  name(number: number): string {
    return this.#names[number] as string;
  }

  /** All account ids by number; a free number has an empty one. */
  names(): string[] {
    return this.#names.slice();
  }

  /** The account's number, for one more order. */
  take(name: string): number {
    const existing = this.#numbers.get(name);
    if (existing !== undefined) return this.takeAgain(existing);
    const number = this.#free.pop() ?? this.#names.length;
    this.#numbers.set(name, number);
    this.#names[number] = name;
    this.#orders[number] = 1;
    return number;
  }

  /** One more order for an account that has orders already. */
  takeAgain(number: number): number {
    this.#orders[number] = (this.#orders[number] as number) + 1;
    return number;
  }

  /** One order less for an account. */
  give(number: number): void {
    const orders = (this.#orders[number] as number) - 1;
    this.#orders[number] = orders;
    if (orders > 0 || this.#numbers.size <= REMEMBERED_MAX) return;
    this.#numbers.delete(this.name(number));
    this.#names[number] = '';
    this.#free.push(number);
  }
}

/** Up to this many accounts none is forgotten: half a megabyte with their ids. */
const REMEMBERED_MAX = 4_096;
