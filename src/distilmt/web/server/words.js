// What the server's page says.
export const WORDS = {
  en: {
    title: "Translate", from: "From", to: "To", swap: "Swap the languages", detect: "Detect language",
    compare: "Compare models", key: "API key", text: "Text", translation: "Translation", clear: "Clear", copy: "Copy",
    copied: "Copied.", type: "Type or paste text", model: "Model", report: "Report of the run", file: "Translate a file",
    choose: "Choose a file", drop: "or drop it here", kinds: "{kinds}", api: "This server speaks LibreTranslate's API:",
    count: "{count} of {most} characters", countAlone: "{count} characters", facts: "{model} · {size} MB · {ms} ms",
    detected: "{language} was detected ({confidence} %).", working: "Translating {name}…", download: "Download {name}",
    failed: "{reason}", same: "Both say the same.", differ: "{count} words differ: they are marked.",
    unreachable: "The server does not answer.", reports: "Reports:", empty: "",
  },
  zh: {
    title: "翻译", from: "从", to: "到", swap: "交换语言", detect: "检测语言",
    compare: "比较模型", key: "API 密钥", text: "文本", translation: "译文", clear: "清空", copy: "复制",
    copied: "已复制。", type: "输入或粘贴文本", model: "模型", report: "运行报告", file: "翻译文件",
    choose: "选择文件", drop: "或将文件拖到这里", kinds: "{kinds}", api: "本服务器使用 LibreTranslate 的 API：",
    count: "{count} / {most} 个字符", countAlone: "{count} 个字符", facts: "{model} · {size} MB · {ms} 毫秒",
    detected: "检测到的语言：{language}（{confidence} %）。", working: "正在翻译 {name}…", download: "下载 {name}",
    failed: "{reason}", same: "两者译文相同。", differ: "{count} 个词不同，已标出。",
    unreachable: "服务器没有响应。", reports: "报告：", empty: "",
  },
};
