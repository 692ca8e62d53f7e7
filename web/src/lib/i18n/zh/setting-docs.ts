/** What each setting means, in Chinese; the server says it in English. Names stand between backticks. */
export const settingDocs: Record<string, string> = {
	HOST: '监听的地址。默认只能从本机访问，首次启动不会暴露任何东西；`0.0.0.0`（容器镜像的设定）或 `::` 向网络开放。',
	PORT: '监听的端口；`0` 表示任取一个空闲端口。',
	WORKERS: '处理请求的线程数；`0` 表示每个 CPU 核心一个。',
	TRUSTED_PROXIES:
		'网关前面的反向代理。只有来自它们的 `X-Forwarded-For` 和 `X-Forwarded-Proto` 才会被采信。',
	CORS_ORIGINS: '允许这些来源的网页在浏览器里调用网关。不设则都不允许。',
	TLS_CERT:
		'PEM 文件，含证书及其证书链：设定后网关在其端口上只使用 TLS。文件更新后几秒内自动生效。',
	TLS_KEY: 'PEM 文件，该证书的私钥。',
	PASSWORD: '管理员密码。不设则首次启动时随机生成，只显示一次，以哈希保存。',
	SECRET_KEY: '用于签名会话令牌。不设则在数据目录中随机生成。',
	ENCRYPTION_KEY:
		'用于加密保存的服务密钥。不设则在数据目录中随机生成；如果该目录会备份到他人可读的地方，请自行设定。',
	ALGORITHM: '会话令牌的签名算法；只有一种。',
	ACCESS_TOKEN_EXPIRE_MINUTES: '会话的有效期，单位分钟。',
	COOKIE_SECURE: '会话 Cookie 是否只用于 TLS；`auto` 根据请求的到达方式决定。',
	GEMINI_API_BASE_URL: 'Gemini 请求发往的地址；路径不含 API 版本。',
	OPENAI_API_BASE_URL: 'OpenAI 请求发往的地址；路径写到 `/chat/completions` 之前。',
	UPSTREAM_ALLOW_PRIVATE:
		'允许上游位于本机或内网，例如自建的镜像。链路本地地址和元数据地址始终禁止。',
	UPSTREAM_CA_FILE: 'PEM 文件，除公共根证书外还要信任的证书。',
	CLOUDFLARE_GATEWAY_ENABLED:
		'以上地址是 Cloudflare AI 网关的地址：OpenAI 模型名会加上前缀 `google-ai-studio/`。',
	CF_AI_AUTHORIZATION_KEY: '以 `cf-aig-authorization` 发给 Cloudflare AI 网关。',
	METER_OPENAI_STREAMS:
		'在 OpenAI 流中请求令牌用量（`stream_options.include_usage`），否则无法统计。',
	HTTP_PROXY: '访问 `http` 上游所用的代理。',
	HTTPS_PROXY: '访问 `https` 上游所用的代理。',
	ALL_PROXY: '以上两项都未设时所用的代理。',
	NO_PROXY: '不经代理直接访问的上游；本机始终直连。',
	REQUEST_TIMEOUT_SECONDS:
		'从请求被接纳到上游开始回答的最长时间，包括所有重试和等待密钥的时间。已经开始的回答只要还在推进就可以继续。',
	ATTEMPT_TIMEOUT_SECONDS:
		'单次尝试中等待上游开始回答的最长时间。`0` 表示每次尝试都可用尽 `REQUEST_TIMEOUT_SECONDS` 的剩余时间：非流式的长生成在完成之前没有任何输出，换处重来只会重复付费。',
	BODY_LIMIT_MB: '请求体的最大大小，单位 MiB。',
	BODY_BUDGET_MB:
		'同时保存在内存中的请求体总量，单位 MiB；超出的请求得到 503 和 `Retry-After`。',
	UPLOAD_LIMIT_MB: '上传到 `/upload/…` 的文件或单个分片的最大大小，单位 MiB。内容直接转发，不在内存中保留。',
	MAX_LIVE_SESSIONS:
		'同时打开的 Live 会话（WebSocket）数，不计入 `MAX_CONCURRENT_REQUESTS`；超出的得到 503。`0` 表示全部拒绝。',
	LIVE_IDLE_TIMEOUT_SECONDS:
		'Live 会话中双方都这么久没有发送消息就会被关闭。Google 自身约十分钟后结束会话。',
	MODEL_SUFFIXES:
		'像 snailyp/gemini-balance 那样理解 Gemini 模型名的后缀 `-search`、`-image` 和 `-non-thinking`（见 `docs/moving-in.md`）。',
	CONNECT_TIMEOUT_SECONDS: '与上游建立连接（包括 TLS）的最长时间。',
	STREAM_IDLE_TIMEOUT_SECONDS: '回答进行中上游沉默的最长时间。',
	HEARTBEAT_SECONDS: '流沉默这么久后发送一条注释以保持连接；`0` 表示不发送。',
	WRITE_STALL_SECONDS: '调用方这么久不读取回答的任何字节，连接就会被切断。',
	HEADER_TIMEOUT_SECONDS: '请求头接收完整的最长时间。',
	BODY_IDLE_TIMEOUT_SECONDS:
		'调用方在发送请求体时沉默的最长时间。整体上请求体每秒至少要到达 1 KiB，最多可落后这么久。',
	MAX_CONCURRENT_REQUESTS: '同时处理的请求数，每个请求直到最后一个字节都计入；超出的排队等待。',
	CONCURRENCY_TIMEOUT_SECONDS: '在该队列中等待的最长时间。',
	MAX_CONNECTIONS: '同时打开的调用方连接数；超出的连接一到就被关闭。',
	DRAIN_SECONDS: '网关停止时，留给进行中请求的收尾时间。',
	API_KEY_FAILURE_THRESHOLD: '连续出错这么多次后，密钥对该模型进入休息。',
	API_KEY_COOL_DOWN_SECONDS: '密钥第一次休息的时长；之后每次加倍。',
	MAX_COOL_DOWN_SECONDS: '密钥休息的最长时间。',
	MAX_RETRIES:
		'上游出错后的重试次数；`-1` 表示两次，并受总预算限制。因密钥用尽或无效而换用另一把不计入。',
	RATE_LIMIT_DEFAULT_WAIT_SECONDS: '收到未注明时间的 429 后，密钥对该模型的休息时间。',
	CHECK_HEALTH_AFTER_COOL_DOWN: '休息结束后先测试密钥，再让它重新服务。',
	CHECK_HEALTH_TIME_INTERVAL_SECONDS: '两次此类测试之间的间隔。',
	NO_KEY_WAIT_SECONDS: '等待即将可用的密钥的最长时间；如果不会有，就立即回答。',
	KEY_IN_USE_TIMEOUT_SECONDS:
		'使用中的密钥这么久没有任何字节流动就会被收回，但不会早于其请求的各项超时。',
	KEY_MAX_CONCURRENCY: '单个密钥上的并发请求数；`0` 表示不限。',
	KEEP_TOGETHER_SECONDS:
		'同一用户密钥在这段时间内创建的文件、缓存和存储会尽量放在同一个项目，因为不同项目的资源不能在一个请求里一起使用。`0` 则分散到所有密钥。',
	SHARE_RESOURCES:
		'所有用户密钥都能看到彼此创建的文件、缓存、批处理、交互和存储。否则只有创建它的用户密钥可见。',
	SQLITE_DB: 'Python 版本的数据库；绝不写入。除非设定 `DATA_DIR`，我们自己的数据放在它旁边。',
	DATA_DIR: '我们自己的数据库、密钥文件和备份所在的目录。不设则为 `SQLITE_DB` 所在的目录，即 `data`。',
	LOG_RETENTION_DAYS: '早于这么多天的请求日志会被删除；`0` 表示保留。统计数据不受影响。',
	LOG_MAX_MB: '请求日志超出这一大小（MiB）时，从最旧的开始删除；`0` 表示保留。',
	LOG_LEVEL: '写入日志的最低级别。',
	LOG_FORMAT: '日志行的格式。',
	LOG_HISTORY_SIZE: '打开实时日志时首先显示的行数。',
	LOG_FILE_DIR: '日志文件的目录，在标准输出之外另写一份。不设则没有日志文件。',
	LOG_FILE_MAX_MB: '日志文件达到这一大小（MiB）后换用下一个。',
	LOG_FILE_MAX_COUNT: '保留的日志文件数。',
	METRICS_LISTEN: '在单独的地址上为 Prometheus 提供 `/metrics`。',
	METRICS_PUBLIC: '在网关自己的端口上也提供 `/metrics`，任何能访问它的人都能看到。',
	DATABASE_TYPE: 'Python 版本的设置，已无作用。',
	FORCE_RESET_DATABASE: 'Python 版本的设置，已无作用。',
	DEBUG_LOG_ENABLED: 'Python 版本的设置，已无作用。',
	DEBUG_LOG_FILE: 'Python 版本的设置，已无作用。',
	DEFAULT_CHECK_COOLED_DOWN_SECONDS: '休息中的密钥会按时自动返回，不需要轮询检查。',
};
