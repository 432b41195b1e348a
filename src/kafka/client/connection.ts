import type { Duration } from "../../duration.ts";

/** How to reach the brokers, by the option names of kafkajs. */
export interface ConnectionOptions {
  /** The addresses of some brokers, as `host:port`; the others are found through them. */
  brokers?: string[] | undefined;
  /** The name under which the brokers log this client. @default {"slipstream"} */
  clientId?: string | undefined;
  /** TLS: `true` for the certificates that the system trusts, or an object with your own certificates. @default {false} */
  ssl?: boolean | TlsOptions | undefined;
  /** How to authenticate. Without TLS only to this machine; see `saslWithoutTls`. */
  sasl?: SaslOptions | undefined;
  /** `"allow"` sends credentials over connections that are not encrypted. @default {"refuse"} */
  saslWithoutTls?: "refuse" | "allow" | undefined;
  /** How long to wait for a connection. @default {1000} */
  connectionTimeout?: Duration | undefined;
  /** How long to wait for the answer to an authentication. @default {10000} */
  authenticationTimeout?: Duration | undefined;
  /**
   * How long to wait for the answer to a request. A broker that dies without closing its connections, as when its
   * machine does, is given up after this time.
   *
   * @default {30000}
   */
  requestTimeout?: Duration | undefined;
  /** How old metadata of topics may be before it is fetched again. @default {300000} */
  metadataMaxAge?: Duration | undefined;
}

/** TLS with your own certificates, by the option names of Node's `tls.connect`. */
export interface TlsOptions {
  /** Certificates, as PEM, of the authorities that may have signed the brokers'. */
  ca?: string | string[] | undefined;
  /** The certificate of this client, as PEM. */
  cert?: string | undefined;
  /** The key of this client's certificate, as PEM. */
  key?: string | undefined;
  /** The password of `key`. */
  passphrase?: string | undefined;
  /** The name that the brokers' certificates must have, when it is not their host name. */
  servername?: string | undefined;
  /** `false` accepts any certificate. @default {true} */
  rejectUnauthorized?: boolean | undefined;
}

/** How to authenticate. */
export type SaslOptions =
  /** With a user name and a password. */
  | {
    /** The mechanism. */
    mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
    /** The user name. */
    username: string;
    /** The password. */
    password: string;
  }
  /** With a token. */
  | {
    /** The mechanism. */
    mechanism: "oauthbearer";
    /** Returns the token to use now. */
    oauthBearerProvider: () => Promise<{ value: string }>;
  };
