/**
 * The mail port. `send` resolves when the mail server has taken the mail, and rejects with `MailNotTaken` if the server
 * certainly has not. After any other rejection nobody knows, and a mail that must not come twice is not sent again.
 */
export type Mailer = {
  send(mail: Mail): Promise<void>;
  close(): Promise<void>;
};

/** A mail of plain text, in which nothing can run where it is shown. */
export type Mail = {
  to: string;
  subject: string;
  text: string;
};

/** The mail server does not have the mail. The message does not contain the address. */
export class MailNotTaken extends Error {
  override name = 'MailNotTaken';
  /** The server will never take this mail. */
  readonly final: boolean;
  /** The codes of the server's reply, such as `550 5.1.1`; without a reply, the fault of the connection. */
  readonly reply: string;
  /** No server was reached. The outage of the mail server is logged by itself. */
  readonly away: boolean;
  constructor(
    message: string,
    { final, reply, away = false }: { final: boolean; reply: string; away?: boolean },
  ) {
    super(message);
    this.final = final;
    this.reply = reply;
    this.away = away;
    // The cause is the server, so a stack trace of this process would not help.
    this.stack = message;
  }
}
