export * from "./backoff.ts";
export * from "./cleanup.ts";
export * from "./command.ts";
export * from "./config.ts";
export * from "./config-error.ts";
export * from "./link-speed.ts";
export * from "./log.ts";
