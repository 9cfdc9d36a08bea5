/**
 * The effects this program has on the outside, as types. `deno_world.ts` builds the real ones, tests build
 * theirs; every wait, connection, child process and file of the program goes through here.
 *
 * @module
 */

/** Everything outside the program that it may touch. */
export interface World {
  /** Time. */
  readonly clock: Clock;
  /** What the program tells. */
  readonly log: Log;
  /** The file system. */
  readonly files: Files;
  /** A number in [0, 1), for jitter only: never for secrets. */
  random(): number;
  /** Opens a way of speaking HTTP; dispose it when done. */
  openHttp(options: HttpOptions): HttpClient;
  /** The local IPv4 address from which `host:port` is reached. Rejects when there is no route. */
  localAddressTowards(host: string, port: number, signal: AbortSignal): Promise<string>;
  /**
   * The addresses of a name, IPv4 and IPv6, at least one, from the resolver that connections use. Rejects with the
   * system's error when it has none or they cannot be had now, or with the signal's reason.
   */
  resolveHost(host: string, signal: AbortSignal): Promise<readonly string[]>;
  /** Opens a TCP connection, never through a proxy. Rejects with the system's error, or the signal's reason. */
  connect(host: string, port: number, signal: AbortSignal): Promise<TcpConnection>;
  /** Listens for TLS connections. Throws when the port is taken or the key pair is unusable. */
  listenTls(options: TlsListenOptions): TlsListener;
  /** Starts a program with exactly the given environment and nothing inherited; stdin is closed. */
  spawn(command: ChildCommand): Child;
}

/** Time, so that tests can make it run faster. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Resolves after `milliseconds`; rejects with the signal's reason as soon as it is aborted. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

/** Values a log line may carry beside its sentence. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Where the rooms tell what they do. Nothing secret may be given to it. */
export interface Log {
  /** Details for whoever looks for a fault. */
  debug(message: string, fields?: LogFields): void;
  /** What goes on. */
  info(message: string, fields?: LogFields): void;
  /** What is worth attention and stops nothing. */
  warn(message: string, fields?: LogFields): void;
  /** What stops the job. */
  error(message: string, fields?: LogFields): void;
  /** The same log, with lines marked as coming from `room`. */
  room(room: string): Log;
}

/** How an {@linkcode HttpClient} reaches its peers. */
export interface HttpOptions {
  /** `environment`: HTTP_PROXY and its friends are honoured. `direct`: never through a proxy. */
  readonly proxy: "environment" | "direct";
  /** PEM certificates trusted in addition to the public ones. */
  readonly caCertificates?: readonly string[];
  /** PEM certificate and key shown to a server that asks for one. */
  readonly clientIdentity?: { readonly certificate: string; readonly key: string };
}

/** One way of speaking HTTP. Redirects are never followed: their policy is the caller's. */
export interface HttpClient extends Disposable {
  /**
   * Sends one request.
   *
   * Rejects with the signal's reason when aborted, with a `TypeError` when there is no response
   * (`network_fault.ts` tells why). The caller reads or cancels the body.
   */
  fetch(url: URL, init: HttpInit): Promise<Response>;
}

/** One request of an {@linkcode HttpClient}. */
export interface HttpInit {
  /** `GET` when absent. */
  readonly method?: "GET" | "HEAD" | "POST";
  /** Sent as they are. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as UTF-8 with its length. */
  readonly body?: string;
  /**
   * Told as soon as the connection stands, before anything is sent, with the peer's address; only an exchange without
   * a proxy can tell.
   */
  readonly onConnect?: (remoteAddress: string | undefined) => void;
  /** Ends the exchange, the body's reading included. */
  readonly signal: AbortSignal;
}

/** A plain TCP connection. */
export interface TcpConnection {
  /** Bytes read, or `null` when the peer has closed its side. */
  read(into: Uint8Array): Promise<number | null>;
  /** Bytes the operating system took. */
  write(bytes: Uint8Array): Promise<number>;
  /** Ends it, and with it a pending read. */
  close(): void;
}

/** What a TLS server needs to listen. */
export interface TlsListenOptions {
  /** Local address, `0.0.0.0` for all. */
  readonly hostname: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** PEM chain, leaf first. */
  readonly certificate: string;
  /** PEM private key of the leaf. */
  readonly key: string;
}

/** A listening TLS server. */
export interface TlsListener extends Disposable {
  /** TCP port. */
  readonly port: number;
  /** The next TCP connection, before its handshake. Rejects when the listener is closed. */
  accept(): Promise<TlsConnection>;
  /** Ends it; a second time does nothing. */
  close(): void;
}

/**
 * How the peer ended the TCP connection below a TLS connection: `closed` in order, and nothing that was sent was
 * refused; `reset` when the rest was lost.
 */
export type TransportEnd = "closed" | "reset";

/** One TLS connection; its handshake has not happened when it is accepted. */
export interface TlsConnection {
  /** The peer. */
  readonly remoteAddr: { readonly hostname: string; readonly port: number };
  /** Completes the TLS handshake; rejects when it fails. */
  handshake(): Promise<unknown>;
  /** Bytes read, or `null` when the peer has closed its side. */
  read(into: Uint8Array): Promise<number | null>;
  /** Bytes taken over, which are not bytes delivered. */
  write(bytes: Uint8Array): Promise<number>;
  /** Sends close_notify and half-closes. */
  closeWrite(): Promise<void>;
  /** Ends it; a second time does nothing. What was said last still goes out for a moment, until `closed`. */
  close(): void;
  /** Resolves some time after {@linkcode TlsConnection.close}, when nothing is left of the connection. */
  readonly closed: Promise<void>;
  /** Resolves a moment after the peer, or `close`, has ended the TCP connection; never rejects. */
  readonly transportEnd: Promise<TransportEnd>;
  /** Whether the connection, both of whose sides are closed, has broken by now: a reset may come late. Never rejects. */
  isBroken(): Promise<boolean>;
  /** Bytes that the operating system has taken for the peer so far, those of TLS itself included. */
  readonly sentBytes: number;
}

/** A program to start. */
export interface ChildCommand {
  /** Its executable file. */
  readonly path: string;
  /** Its arguments. */
  readonly args: readonly string[];
  /** The whole environment of the child. */
  readonly env: Readonly<Record<string, string>>;
  /** Bytes for its standard input; without them it is closed at once. */
  readonly input?: Uint8Array;
}

/** A started program. Both pipes must be read or cancelled. */
export interface Child {
  /** Process identifier. */
  readonly pid: number;
  /** Its standard output. */
  readonly stdout: ReadableStream<Uint8Array>;
  /** Its standard error. */
  readonly stderr: ReadableStream<Uint8Array>;
  /** Resolves when it has ended; the pipes may still hold output. */
  readonly status: Promise<ChildStatus>;
  /**
   * Signals it and whatever of what it started is left, also when it has ended itself; nothing left is not an error.
   * Where the system lets us signal our own child alone, that is all it does.
   */
  kill(signal: "SIGTERM" | "SIGKILL"): void;
}

/** How a program ended: by its own exit `code`, or by a `signal`. */
export interface ChildStatus {
  /** Exit code; meaningless when a signal ended it. */
  readonly code: number;
  /** The signal that ended it, if one did. */
  readonly signal: string | null;
}

/** What is known of a path. */
export interface FileFacts {
  /** A regular file. */
  readonly isFile: boolean;
  /** A directory. */
  readonly isDirectory: boolean;
  /** Bytes. */
  readonly size: number;
  /** Unix permission bits, where the system has them. */
  readonly mode: number | null;
  /** When its content last changed, in milliseconds since the Unix epoch, where the system knows. */
  readonly modified: number | null;
}

/** The file system. Reads of whole files are bounded by the caller. */
export interface Files {
  /** Facts of what `path` leads to, or `undefined` when nothing is there. */
  facts(path: string): Promise<FileFacts | undefined>;
  /** The whole file as text; rejects with `RangeError` when it holds more than `limit` bytes. */
  readText(path: string, limit: number): Promise<string>;
  /** Names in a directory, unsorted. */
  list(path: string): Promise<string[]>;
  /** Opens an existing file for reading. */
  open(path: string): Promise<FileHandle>;
  /** Creates a file nobody else may read (0600); rejects when the path exists. */
  createPrivate(path: string): Promise<FileHandle>;
  /** Creates a file for everybody whom the umask leaves; rejects when the path exists. */
  create(path: string): Promise<FileHandle>;
  /** Sets the Unix permission bits of a file. */
  setMode(path: string, mode: number): Promise<void>;
  /** Replaces the content of an existing file; rejects when nothing is there. */
  overwrite(path: string, text: string): Promise<void>;
  /** Makes a directory and its parents, private (0700) where they are new. */
  makeDirectory(path: string): Promise<void>;
  /** Makes a private temporary directory with a name of the system's choosing, in `parent` if it is given. */
  makeTempDirectory(parent?: string): Promise<string>;
  /** Atomic within one file system; replaces what is at `to`. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file or a directory with all it holds; nothing there is not an error. */
  remove(path: string): Promise<void>;
}

/** An open file. */
export interface FileHandle extends Disposable {
  /** Bytes read at the current position, or `null` at the end. */
  read(into: Uint8Array): Promise<number | null>;
  /** Bytes read at `offset`, fewer than asked for only at the end of the file. */
  readAt(offset: number, into: Uint8Array): Promise<number>;
  /** Writes all of `bytes` at the current position. */
  write(bytes: Uint8Array): Promise<void>;
  /** Bytes. */
  size(): Promise<number>;
  /** Resolves when the content is on the disk. */
  sync(): Promise<void>;
  /** Ends it; a second time does nothing. */
  close(): void;
}
